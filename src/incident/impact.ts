import { SealError } from '../errors.ts'
import { messagesOf } from '../mapping/mapped-messages.ts'
import type {
  DekEntry,
  MappedMessage,
  MappingReader,
  SegmentEntry,
  SegmentState,
} from '../mapping/mapping-store.ts'

/** Which key is asked about. A KEK is named in full (an ARN) or by its bare id. */
export type ImpactScope =
  | { readonly dekId: string }
  | { readonly kekId: string; readonly kekVersion?: string }

/** How much a key ever protected. */
export interface ImpactSummary {
  readonly deks: number
  /**
   * An intended segment may or may not have left an object; count it in until that is known. A
   * swept one left nothing any more.
   */
  readonly segments: Readonly<Record<SegmentState, number>>
  /** Objects that are known to be there: those of sealed and published segments. */
  readonly objects: number
  readonly messages: number
  /** Of sealed and published segments: of the object; of intended ones: of the frames on record. */
  readonly bytes: number
}

/** One message that the key protected, and where its frame is. */
export interface ImpactedMessage extends MappedMessage {
  readonly dekId: string
  readonly kekId: string
  /** Key of the object within the bucket. */
  readonly object: string
  readonly state: SegmentState
}

/**
 * What one DEK, or every DEK ever wrapped under a KEK (or one version of it), protected. Errors:
 * SEAL_KEY_UNKNOWN (not on record, which differs from a DEK that protects nothing),
 * SEAL_INPUT_INVALID (not the id of a DEK), SEAL_MAPPING_*.
 */
export async function impactOf(reader: MappingReader, scope: ImpactScope): Promise<ImpactSummary> {
  const segments = { intended: 0, sealed: 0, published: 0, swept: 0, replaced: 0 }
  let deks = 0
  let messages = 0
  let bytes = 0
  for await (const { dekId } of deksInScope(reader, scope)) {
    deks += 1
    for await (const segment of reader.segmentsOfDek(dekId)) {
      const size = await sizeOf(reader, segment)
      segments[segment.state] += 1
      messages += size.messages
      bytes += size.bytes
    }
  }
  return { deks, segments, objects: segments.sealed + segments.published, messages, bytes }
}

/** Every message behind the summary, segment by segment, in constant memory. Errors as there. */
export async function* impactMessages(
  reader: MappingReader,
  scope: ImpactScope,
): AsyncGenerator<ImpactedMessage> {
  for await (const { dekId, kekId } of deksInScope(reader, scope)) {
    for await (const segment of reader.segmentsOfDek(dekId)) {
      const { objectKey: object, state } = segment
      for await (const message of messagesOf(reader, segment)) {
        yield { dekId, kekId, object, state, ...message }
      }
    }
  }
}

/**
 * A segment that was not seen to end has no totals, but may have rows; these are counted. So are
 * the rows that a writer brought to a swept segment after having been asleep.
 */
async function sizeOf(
  reader: MappingReader,
  segment: SegmentEntry,
): Promise<{ messages: number; bytes: number }> {
  const { state, messageCount, bytes: objectBytes } = segment
  if (state !== 'swept' && messageCount !== null && objectBytes !== null) {
    return { messages: messageCount, bytes: objectBytes }
  }
  let messages = 0
  let bytes = 0
  for await (const message of messagesOf(reader, segment)) {
    messages += 1
    bytes += message.length
  }
  return { messages, bytes }
}

/**
 * The DEKs of a scope. Ids come pasted from tickets and audit logs, so blanks around them and upper
 * case are taken. Throws SEAL_KEY_UNKNOWN when there is none, SEAL_INPUT_INVALID, SEAL_MAPPING_*.
 */
export async function* deksInScope(
  reader: Pick<MappingReader, 'findDek' | 'deksOfKek'>,
  scope: ImpactScope,
): AsyncGenerator<DekEntry> {
  if ('dekId' in scope) {
    const dekId = scope.dekId.trim().toLowerCase()
    const dek = await reader.findDek(dekId)
    if (dek === null) throw unknown(`DEK "${dekId}"`)
    yield dek
    return
  }
  const kekId = scope.kekId.trim()
  let found = false
  for await (const dek of reader.deksOfKek(kekId, scope.kekVersion)) {
    found = true
    yield dek
  }
  if (found) return
  const version = scope.kekVersion === undefined ? '' : ` version "${scope.kekVersion}"`
  throw unknown(`DEK wrapped under KEK "${kekId}"${version}`)
}

function unknown(what: string): SealError {
  const message = `no ${what} is on record in this keyspace; see that the id is complete and that cassandra.keyspace is the one that sealed`
  return new SealError('SEAL_KEY_UNKNOWN', message)
}
