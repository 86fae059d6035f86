import { messageOf } from '../../src/errors.ts'
import { benchEnd } from '../bench-end.ts'
import { type BenchStack, withBenchStack } from '../bench-stack.ts'
import { templatesOf } from '../kafka/contents.ts'
import type { ProducedLog } from '../kafka/fill.ts'
import { createTopic, fill } from '../road/road.ts'
import { watchRoad } from '../road/road-watch.ts'
import { startEncryptor } from '../road/start-encryptor.ts'
import { verifyRoad } from '../road/verify-road.ts'
import { runArm } from './arm-process.ts'
import { measureProxy } from './kroxylicious/proxy-arm.ts'
import type { PeerFigures, PeerRow } from './peer-row.ts'

/** How peers are set side by side. */
export interface PeersOptions {
  readonly messages: number
  readonly size: number
  readonly partitions: number
  /** Words of the names of the arms that are wanted; none means all. */
  readonly only: readonly string[]
}

const TOPIC = 'peers'
const NULLS = new URL('../stages/null-stages.ts', import.meta.url).href
/** What the slow arms need not do as often; they have no start worth leaving out. */
const SLOW_SHARE = 0.25

/** Ours and others on the same machine, services and topic, one after the other. */
export function peers(options: PeersOptions): Promise<PeerRow[]> {
  return withBenchStack((stack) => measurePeers(stack, options), { isShortLived: true })
}

async function measurePeers(stack: BenchStack, options: PeersOptions): Promise<PeerRow[]> {
  const log = await fill(stack, TOPIC, { ...options, domains: 0 })
  const rows: PeerRow[] = []
  const all = [...ourArms(stack, log), ...theirArms(stack, options), ...proxyArms(stack, options)]
  const isWanted = ({ arm }: Arm) =>
    options.only.length === 0 || options.only.some((word) => arm.includes(word))
  for (const { run, ...row } of all.filter(isWanted)) {
    process.stderr.write(`${row.arm}\n`)
    try {
      rows.push({ ...row, figures: await run() })
    } catch (error) {
      // One peer that is not there must not take the others with it.
      benchEnd().throwIfAborted()
      rows.push({ ...row, figures: null, missing: messageOf(error) })
    }
  }
  return rows
}

type Arm = Pick<PeerRow, 'arm' | 'does' | 'doesNot'> & { readonly run: () => Promise<PeerFigures> }

function ourArms(stack: BenchStack, log: ProducedLog): Arm[] {
  const ours = (mapping: 'rows' | 'runs'): Arm => ({
    arm: `sealstream, mapping by ${mapping}`,
    does: 'reads, checks CRCs, seals, stores in S3, maps in Cassandra, references exactly once',
    doesNot: '',
    run: () => sealstreamArm(stack, log, mapping),
  })
  const reading: Arm = {
    arm: 'sealstream, reading alone',
    does: 'the whole program, but what is read is dropped; checks CRCs',
    doesNot: 'everything behind reading',
    run: () => sealstreamArm(stack, log, 'read'),
  }
  return [ours('rows'), ours('runs'), reading]
}

async function sealstreamArm(
  stack: BenchStack,
  log: ProducedLog,
  what: 'rows' | 'runs' | 'read',
): Promise<PeerFigures> {
  const [name, suffix] = [`peers-${what}`, `.${what}`]
  const overrides = [`kafka.referenceTopicSuffix=${suffix}`]
  const mapping = what === 'read' ? 'rows' : what
  process.env.BENCH_STAGE = 'read'
  const flags = what === 'read' ? ['--import', NULLS] : []
  const encryptor = await startEncryptor(stack, name, [TOPIC], { mapping, overrides }, flags)
  try {
    const { cpuMicros, messagesPerSecond } = await watchRoad(
      [encryptor],
      stack,
      log.messages,
      false,
    )
    const { encryptor: peer = 0, ...services } = cpuMicros
    if (what !== 'read') await verifyRoad(stack, name, log, benchEnd(), suffix)
    const figures = { messages: log.messages, perSecond: messagesPerSecond }
    return { ...figures, cpuMicros: { peer, ...services } }
  } finally {
    await encryptor.stop()
  }
}

function theirArms(stack: BenchStack, { messages, partitions }: PeersOptions): Arm[] {
  const few = Math.ceil(messages * SLOW_SHARE)
  const program = (
    arm: string,
    path: string,
    count: number,
    does: string,
    doesNot: string,
  ): Arm => ({
    ...{ arm, does, doesNot },
    run: async () => {
      const outputTopic = `peers-${arm.replaceAll(/\W+/g, '-')}`
      await createTopic(stack, outputTopic, partitions)
      const order = { arm, topic: TOPIC, outputTopic, partitions, messages: count }
      return runArm(stack, path, order)
    },
  })
  const consuming = (arm: string) =>
    program(arm, './consume.ts', messages, 'reads', 'CRCs, and everything behind reading')
  return [
    consuming('kafkajs eachMessage'),
    consuming('kafkajs eachBatch'),
    consuming('@platformatic/kafka'),
    program(
      'textbook',
      './textbook/main.ts',
      few,
      'reads, seals, stores in S3, a row and a reference a message',
      'exactly once: a crash loses and doubles; references precede their object',
    ),
    program(
      'AWS Encryption SDK',
      './encryption-sdk.ts',
      few,
      'reads, encrypts with cached data keys, produces the ciphertext; unsigned suite, raw AES key',
      'S3, mapping, exactly once, a KMS',
    ),
  ]
}

function proxyArms(stack: BenchStack, options: PeersOptions): Arm[] {
  const { messages, partitions, size } = options
  let measuring: ReturnType<typeof measureProxy> | null = null
  const measured = () => {
    measuring ??= measureProxy(stack, partitions, messages, templatesOf({ size, domains: 0 }))
    return measuring
  }
  const doesNot = 'S3, mapping, a KMS call over the network; keys and nonces of another scheme'
  return [
    {
      arm: 'Kroxylicious, producing',
      does: 'proxies what is produced and encrypts every record; ciphertext stays in Kafka',
      ...{ doesNot, run: async () => (await measured()).producing },
    },
    {
      arm: 'Kroxylicious, consuming',
      does: 'proxies what is fetched and decrypts every record',
      ...{ doesNot, run: async () => (await measured()).consuming },
    },
  ]
}
