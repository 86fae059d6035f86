import { isSealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import { parseReferences } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import { messagesOf } from '../mapping/mapped-messages.ts'
import type { MappedMessage, RowsKey } from '../mapping/mapping-store.ts'
import { segmentFolder } from '../segment/object-key.ts'
import { type Check, throwIfStopped } from './check.ts'
import { RowDigest } from './row-digest.ts'
import type { SegmentRecord } from './segment-table.ts'

const SEGMENTS_AT_ONCE = 4
/** Rows that the exact pass holds at a time, some 200 bytes each; one segment may go beyond. */
const ROWS_HELD_MAX = 200_000

type Referenced = SegmentRecord & { readonly referenced: RowDigest }

interface Row extends MappedMessage {
  isReferenced: boolean
}

/** Rows by `topic/partition/offset`. */
type Rows = Map<string, Row>

/**
 * Holds the references of every segment against its mapping rows: a digest first, and row by row
 * only where that differs. A segment without an intent has no rows that could be asked for; in the
 * folder of the segments its object is told by the listing of the bucket, elsewhere it is told here.
 */
export async function checkMapping(check: Check): Promise<void> {
  const segments = [...check.segments.referenced()].filter((segment) => isMapped(check, segment))
  check.observer.stepBegan('mapped segments', segments.length)
  const differing: { readonly segment: Referenced; readonly rows: number }[] = []
  await forEachOf(segments, SEGMENTS_AT_ONCE, async (segment) => {
    const digest = await digestOf(check, segment)
    if (digest?.equals(segment.referenced) === false) {
      differing.push({ segment, rows: digest.count })
    }
    check.observer.advanced(1)
  })
  let group: Referenced[] = []
  let held = 0
  for (const { segment, rows } of differing) {
    if (group.length > 0 && held + rows > ROWS_HELD_MAX) {
      await compareRows(check, group)
      group = []
      held = 0
    }
    group.push(segment)
    held += rows
  }
  if (group.length > 0) await compareRows(check, group)
}

function isMapped({ findings, settings }: Check, segment: Referenced): boolean {
  const { intent, object, referenced } = segment
  if (intent === null) {
    if (object.startsWith(segmentFolder(settings))) return false
    const meaning =
      'no intent names the object, which lies where none belongs: no look-up by key finds its messages'
    findings.add({ kind: 'unmapped', object, count: referenced.count, meaning })
    return false
  }
  const { dekId } = intent
  if (intent.sweptAtMs === null) return true
  const meaning = `it is marked as swept, though ${referenced.count} references name it`
  findings.add({ kind: 'swept', object, dekId, meaning })
  return false
}

/** null for what cannot be read, which is told here. */
async function digestOf(check: Check, segment: Referenced): Promise<RowDigest | null> {
  const digest = new RowDigest()
  try {
    for await (const row of rowsOf(check, segment)) digest.add(row)
    return digest
  } catch (error) {
    if (!isSealError(error, 'SEAL_MALFORMED')) throw error
    const { object, intent, referenced } = segment
    const found = { object, count: referenced.count, meaning: error.message }
    check.findings.add({ kind: 'unmapped', ...(intent && { dekId: intent.dekId }), ...found })
    return null
  }
}

/** Rows of other topics belong to segments that share a key domain; nobody has read their references. */
async function* rowsOf(check: Check, { intent }: Referenced): AsyncGenerator<MappedMessage> {
  const topics = new Set(check.settings.topics)
  for await (const row of messagesOf(check.services.mapping, intent as RowsKey)) {
    throwIfStopped(check)
    if (topics.has(row.topic)) yield row
  }
}

/** Reads the references once more, to where they end now, and holds each against its row. */
async function compareRows(check: Check, segments: readonly Referenced[]): Promise<void> {
  const rows = new Map<string, Rows>()
  for (const segment of segments) {
    const ofSegment: Rows = new Map()
    for await (const row of rowsOf(check, segment)) {
      ofSegment.set(nameOf(row), { ...row, isReferenced: false })
    }
    rows.set(segment.object, ofSegment)
  }
  for (const topic of check.settings.topics) {
    await eachReference(check, topic, (reference) => {
      const ofSegment = rows.get(reference.object)
      if (ofSegment !== undefined) compareRow(check, reference, ofSegment)
    })
  }
  for (const { object, intent } of segments) {
    for (const row of rows.get(object)?.values() ?? []) {
      if (row.isReferenced || hadReference(check, row)) continue
      const { topic, partition, offset } = row
      const meaning = `a row under DEK ${intent?.dekId} for which there is no reference`
      check.findings.add({ kind: 'overmapped', topic, partition, offset, object, meaning })
    }
  }
}

function compareRow({ findings }: Check, reference: Reference, rows: Rows): void {
  const { topic, partition, offset, object, position, length } = reference
  const at = { topic, partition, offset, object }
  const row = rows.get(nameOf(reference))
  if (row === undefined) {
    const meaning = 'the mapping has no row for it: no look-up by key finds the message'
    findings.add({ kind: 'unmapped', ...at, meaning })
    return
  }
  row.isReferenced = true
  if (row.position === position && row.length === length) return
  const meaning = 'its mapping row says another place in the object'
  findings.add({ kind: 'unmapped', ...at, meaning })
}

/** Whether the reference for a row may have been deleted by retention. */
function hadReference({ firstReferenced }: Check, { topic, partition, offset }: Row): boolean {
  const first = firstReferenced.get(`${topic}/${partition}`)
  return first !== undefined && offset < first
}

async function eachReference(
  check: Check,
  topic: string,
  onReference: (reference: Reference) => void,
): Promise<void> {
  const { log } = check.services
  const references = topic + check.settings.referenceTopicSuffix
  for (const { partition, oldest, end } of (await log.bounds(references)) ?? []) {
    let isFirst = oldest > 0
    if (isFirst) check.firstReferenced.set(`${topic}/${partition}`, Number.POSITIVE_INFINITY)
    for await (const { records } of log.read(
      { topic: references, partition },
      oldest,
      end,
      'wait',
    )) {
      throwIfStopped(check)
      for (const reference of records.flatMap(({ value }) => parsed(value))) {
        if (reference.topic !== topic || reference.partition !== partition) continue
        if (isFirst) check.firstReferenced.set(`${topic}/${partition}`, reference.offset)
        isFirst = false
        onReference(reference)
      }
    }
  }
}

/** None for what is no reference; the first reading has told of it. */
function parsed(value: Uint8Array | null): readonly Reference[] {
  try {
    return parseReferences(value ?? '')
  } catch (error) {
    if (isSealError(error)) return []
    throw error
  }
}

function nameOf({ topic, partition, offset }: MappedMessage): string {
  return `${topic}/${partition}/${offset}`
}
