import type { CopiesSummary, Stored } from '../incident/copies.ts'
import type { ImpactSummary } from '../incident/impact.ts'
import type { ImpactScope } from '../incident/impact-scope.ts'
import type { MessageAnswer, MessagePlace } from '../incident/message-places.ts'
import type { SegmentState } from '../mapping/mapping-store.ts'
import { printable } from './printable.ts'
import { renderJson } from './render.ts'
import { renderCount, renderTime } from './table.ts'

const NUMBER_WIDTH = 15
const NAME_WIDTH = 13

/** What is said of segments that are not simply there; of those that are, nothing. */
const REMARKS: Readonly<Record<SegmentState, string | null>> = {
  published: null,
  sealed: 'of the objects are not marked as published',
  intended: 'more objects were begun and may exist',
  swept: 'more were never published and have been swept',
  replaced: 'more were re-encrypted, and are under another DEK now',
  shredded: 'more were destroyed on purpose (sealstream shred)',
}

/** What to do about an answer that may lack something. */
export const INCOMPLETE =
  'the look-ups by topic, time, key domain, age and message do not cover all that was sealed, and something may be missing here; run sealstream backfill-index once, or rebuild-index where the keyspace was made anew, then ask again'

/** The counts of a scope, and of what is in the bucket where that was asked for. */
export function renderImpact(
  scope: ImpactScope,
  summary: ImpactSummary,
  copies: CopiesSummary | null,
): string {
  const { deks, objects, messages, bytes, segments } = summary
  const lines = [
    `${scopeName(scope)}:`,
    line(messages, 'messages'),
    line(bytes, 'bytes'),
    line(objects, 'objects'),
    line(deks, 'DEKs'),
  ]
  for (const [state, remark] of Object.entries(REMARKS)) {
    const count = segments[state as SegmentState]
    if (remark !== null && count > 0) lines.push(line(count, remark))
  }
  if (copies !== null) lines.push(...copyLines(copies))
  return `${lines.join('\n')}\n`
}

/** The same as one JSON object. */
export function renderImpactJson(
  scope: ImpactScope,
  summary: ImpactSummary,
  copies: CopiesSummary | null,
): string {
  return renderJson({ ...scope, ...summary, ...(copies === null ? {} : { copies }) })
}

function copyLines(copies: CopiesSummary): string[] {
  const { current, unpublished, noncurrent, gone, openUploads, elsewhere } = copies
  const stored = ({ count, bytes }: Stored, what: string) =>
    line(count, `${what}, ${renderCount(bytes)} bytes`)
  return [
    'in the bucket:',
    stored(current, 'published objects'),
    stored(unpublished, 'objects that are not marked as published'),
    stored(noncurrent, 'noncurrent versions'),
    line(openUploads, 'open uploads'),
    line(gone, 'objects on record that are gone'),
    ...(elsewhere > 0
      ? [line(elsewhere, 'objects under another s3.prefix, whose uploads were not looked for')]
      : []),
  ]
}

/** What is on record of one message, and where to go on from there. */
export function renderMessage(asked: string, { places, possible }: MessageAnswer): string {
  const blocks = places.map((place) => `${placeLines(place).join('\n')}\n`)
  if (possible.length > 0) {
    const keys = possible.map(({ objectKey }) => `  ${printable(objectKey)}`)
    const what = 'begun segments whose rows are not written yet may hold it too:'
    blocks.push(`${[`${renderCount(possible.length)} ${what}`, ...keys].join('\n')}\n`)
  }
  return `${printable(asked)}\n${blocks.join('\n')}`
}

/** The same as one JSON object. */
export function renderMessageJson(
  asked: object,
  { places, possible }: MessageAnswer,
  isComplete: boolean,
): string {
  return renderJson({
    ...asked,
    places: places.map(({ dek, segment, ...frame }) => ({
      ...frame,
      ...{ dekId: segment.dekId, keyDomain: dek?.keyDomain ?? null },
      ...{ kekId: dek?.kekId ?? null, kekVersion: dek?.kekVersion ?? null },
      ...{ segmentId: segment.segmentId, object: segment.objectKey, state: segment.state },
      ...{ createdAtMs: segment.createdAtMs, sealedAtMs: segment.sealedAtMs },
    })),
    possible: possible.map(({ dekId, segmentId, objectKey, state }) => ({
      ...{ dekId, segmentId, object: objectKey, state },
    })),
    isComplete,
  })
}

function placeLines({ topic, partition, offset, dek, segment, position, length }: MessagePlace) {
  const { dekId, segmentId, objectKey, state, createdAtMs, sealedAtMs } = segment
  const fields: readonly (readonly [string, string])[] = [
    ['message', `${topic} partition ${partition} offset ${offset}`],
    ['state', state],
    ['DEK', dekId],
    ['key domain', dek?.keyDomain ?? 'the record of the DEK is lost'],
    ['KEK', dek?.kekId ?? '-'],
    ['KEK version', dek?.kekVersion ?? '-'],
    ['object', objectKey],
    ['segment', segmentId],
    ['frame', `${renderCount(length)} bytes at ${renderCount(position)}`],
    ['opened', renderTime(createdAtMs)],
    ['sealed', renderTime(sealedAtMs)],
    ['look further', `sealstream impact --dek ${dekId}`],
    ['', `sealstream keys show ${dekId}`],
    ['', `sealstream inspect ${objectKey}`],
  ]
  return fields.map(([name, text]) => `  ${name.padEnd(NAME_WIDTH)}${printable(text)}`)
}

function scopeName(scope: ImpactScope): string {
  const { dekId, kekId, kekVersion, keyDomain, topic, partition, fromMs, toMs } = scope
  const parts = [
    ...(dekId === undefined ? [] : [`DEK ${dekId}`]),
    ...(kekId === undefined ? [] : [`KEK ${kekId}`]),
    ...(kekVersion === undefined ? [] : [`version ${kekVersion}`]),
    ...(keyDomain === undefined ? [] : [`key domain ${keyDomain}`]),
    ...(topic === undefined ? [] : [`topic ${topic}`]),
    ...(partition === undefined ? [] : [`partition ${partition}`]),
    ...(fromMs === undefined ? [] : [`from ${renderTime(fromMs)}`]),
    ...(toMs === undefined ? [] : [`to ${renderTime(toMs)}`]),
  ]
  return printable(parts.join(', '))
}

function line(count: number, what: string): string {
  return `${renderCount(count).padStart(NUMBER_WIDTH)} ${what}`
}
