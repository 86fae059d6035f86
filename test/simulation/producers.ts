import { SealError } from '../../src/errors.ts'
import type { Message, MessageHeader } from '../../src/format/message.ts'
import { placeOf } from '../../src/pipeline/message-source.ts'
import { DOMAIN_HEADER } from './scenario.ts'
import type { SourcePartition } from './source-log.ts'
import type { World } from './world.ts'

const TENANTS = ['ash', 'birch', 'cedar', 'none']
const LARGE_BYTES = 3 * 1024 * 1024

/** Fills the source while time passes. Returns the places of messages that cannot be sealed. */
export function startProducers(world: World): ReadonlySet<string> {
  const { scenario, random, scheduler, kafka } = world
  const unsealable = new Set<string>()
  for (let left = scenario.messages; left > 0; ) {
    const burst = Math.min(left, random.int(1, 12))
    left -= burst
    const partition = random.pick(kafka.partitions)
    scheduler.at(random.next() * scenario.produceMs, () => {
      for (let i = 0; i < burst; i++) produce(world, partition, unsealable)
    })
  }
  return unsealable
}

function produce(world: World, partition: SourcePartition, unsealable: Set<string>): void {
  const { scenario, random } = world
  if (random.chance(scenario.gapShare)) partition.leaveGap(random.int(1, 5))
  partition.append((offset) => {
    const message = messageOf(world, partition, offset)
    const isTooLarge = (message.value?.length ?? 0) > scenario.settings.messageBytesMax
    if (isTooLarge || scenario.settings.domainOf(message) instanceof SealError) {
      unsealable.add(`${partition.place}@${offset}`)
    }
    return message
  })
  if (random.chance(scenario.markerShare)) partition.append(null)
}

function messageOf(world: World, { at }: SourcePartition, offset: number): Message {
  const { scenario, random } = world
  const { keyDomain, messageBytesMax } = scenario.settings
  const isUnsealable = random.chance(scenario.unsealableShare)
  const isByHeader = keyDomain.by === 'header'
  const hasHeader = isByHeader && !isUnsealable
  const headers: MessageHeader[] = hasHeader
    ? [[Buffer.from(DOMAIN_HEADER), Buffer.from(random.pick(TENANTS))]]
    : []
  const bytes = isUnsealable && !isByHeader ? messageBytesMax + 1 : random.int(0, 300)
  const value = Buffer.alloc(scenario.isLarge && !isUnsealable ? LARGE_BYTES : bytes, offset % 251)
  const timestampMs = BigInt(1_767_000_000_000 + offset)
  const key = Buffer.from(placeOf(at))
  return { ...at, offset, key, value, headers, timestampMs, timestampType: 'create' }
}
