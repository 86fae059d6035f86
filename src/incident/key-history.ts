import { SealError } from '../errors.ts'
import type { InstanceKeys, KeyOffice } from '../keys/key-desk.ts'
import type { KeyEvent, KeyEventLog } from '../keys/key-events.ts'
import type { DekEntry, MappingReader } from '../mapping/mapping-store.ts'

/** Where the history of keys is read. */
export interface KeyArchive {
  readonly mapping: Pick<MappingReader, 'findDek' | 'segmentsOfDek'>
  readonly events: KeyEventLog
  readonly office: Pick<KeyOffice, 'keysInUse'>
}

/** What is known of one DEK. */
export interface KeyHistory {
  readonly dek: DekEntry
  /** Oldest first. */
  readonly events: readonly KeyEvent[]
  /** Instances whose open window it is now. */
  readonly inUseBy: readonly string[]
  /** From the mapping, which also knows what a process did that died without a word; none swept. */
  readonly segments: {
    readonly count: number
    /** Of segments that were sealed to their end. */
    readonly messages: number
    readonly bytes: number
    readonly lastOpenedAtMs: number | null
  }
}

/** Throws SEAL_KEY_UNKNOWN when no such DEK is on record, SEAL_INPUT_INVALID, SEAL_MAPPING_*. */
export async function historyOf(archive: KeyArchive, dekId: string): Promise<KeyHistory> {
  const dek = await requireDek(archive, dekId)
  const events: KeyEvent[] = []
  for await (const event of archive.events.eventsOf(dekId)) events.push(event)
  const segments = { count: 0, messages: 0, bytes: 0, lastOpenedAtMs: null as number | null }
  for await (const segment of archive.mapping.segmentsOfDek(dekId)) {
    const { state, messageCount, bytes, createdAtMs } = segment
    if (state === 'swept') continue
    segments.count++
    segments.messages += messageCount ?? 0
    segments.bytes += bytes ?? 0
    segments.lastOpenedAtMs = Math.max(segments.lastOpenedAtMs ?? 0, createdAtMs)
  }
  const instances = await archive.office.keysInUse()
  const inUseBy = instances.filter((one) => holds(one, dekId)).map(({ instanceId }) => instanceId)
  return { dek, events, inUseBy, segments }
}

/** The record of a DEK. Throws SEAL_KEY_UNKNOWN when there is none. */
export async function requireDek(
  { mapping }: Pick<KeyArchive, 'mapping'>,
  dekId: string,
): Promise<DekEntry> {
  const dek = await mapping.findDek(dekId)
  if (dek !== null) return dek
  throw new SealError('SEAL_KEY_UNKNOWN', `no DEK ${dekId} is on record in this keyspace`)
}

function holds({ keys }: InstanceKeys, dekId: string): boolean {
  return keys.some((key) => key.dekId === dekId)
}
