import { parseReferences } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import { messagesOf } from '../mapping/mapped-messages.ts'
import type { MappedMessage, MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import type { ReferenceLog } from './reference-log.ts'

/** What one reading of the references has shown. */
export interface Evidence {
  /** Keys of objects, among those asked about, that a committed reference names. */
  readonly named: ReadonlySet<string>
  /** No reference since this time was missed; Infinity when that is not certain. */
  readonly completeSinceMs: number
}

/** Reads the references since `sinceMs` for those that name one of `objectKeys`. */
export async function findNamed(
  log: ReferenceLog,
  objectKeys: ReadonlySet<string>,
  sinceMs: number,
  signal: AbortSignal,
): Promise<Evidence> {
  const named = new Set<string>()
  let isReadable = true
  const onValues = (values: readonly Uint8Array[]) => {
    for (const value of values) {
      const [reference] = referencesOf(value)
      if (reference === undefined) isReadable = false
      else if (objectKeys.has(reference.object)) named.add(reference.object)
    }
  }
  const completeSinceMs = await log.read(sinceMs, onValues, signal)
  // What cannot be read may name anything.
  return { named, completeSinceMs: isReadable ? completeSinceMs : Number.POSITIVE_INFINITY }
}

/** Messages that are held at a time to prove where they are: some 200 bytes each. */
const PROOF_MESSAGES_MAX = 500_000

/**
 * The segments each of whose messages has a committed reference to another object. There is one
 * reference a message, so none can name these, whatever part of the log Kafka has dropped. Takes as
 * many segments as fit in memory; those left out are not proven.
 */
export async function provenElsewhere(
  log: ReferenceLog,
  mapping: Pick<MappingReader, 'framesOfSegment'>,
  segments: readonly SegmentEntry[],
  sinceMs: number,
  signal: AbortSignal,
): Promise<ReadonlySet<SegmentEntry>> {
  const open = new Map<string, SegmentEntry[]>()
  const left = new Map<SegmentEntry, number>()
  for (const segment of segments) {
    let count = 0
    for await (const message of messagesOf(mapping, segment)) {
      const place = placeOf(message)
      open.set(place, [...(open.get(place) ?? []), segment])
      count++
      if (open.size > PROOF_MESSAGES_MAX) break
    }
    if (open.size > PROOF_MESSAGES_MAX) break
    if (count > 0) left.set(segment, count)
  }
  if (left.size === 0) return new Set()
  const onValues = (values: readonly Uint8Array[]) => {
    for (const value of values) {
      for (const reference of referencesOf(value)) {
        for (const segment of open.get(placeOf(reference)) ?? []) {
          if (segment.objectKey === reference.object) left.delete(segment)
          else if (left.has(segment)) left.set(segment, (left.get(segment) ?? 0) - 1)
        }
        open.delete(placeOf(reference))
      }
    }
  }
  await log.read(sinceMs, onValues, signal)
  return new Set([...left].filter(([, count]) => count === 0).map(([segment]) => segment))
}

function placeOf(at: Pick<MappedMessage, 'topic' | 'partition' | 'offset'>): string {
  return `${at.topic}/${at.partition}/${at.offset}`
}

/** None for a value that no encryptor of this release wrote. Those of one value name one object. */
function referencesOf(value: Uint8Array): readonly Reference[] {
  try {
    return parseReferences(value)
  } catch {
    return []
  }
}
