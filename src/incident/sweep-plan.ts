import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import { messagesOf } from '../mapping/mapped-messages.ts'
import type { MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import {
  type ObjectInventory,
  type OpenUpload,
  type StoredObject,
  versionsOf,
} from '../segment/object-inventory.ts'
import { segmentFolder } from '../segment/object-key.ts'
import type { ReferenceLog } from './reference-log.ts'
import { findNamed, provenElsewhere } from './sweep-evidence.ts'

/** Where a sweep looks. */
export interface SweepSources {
  readonly register: Pick<SegmentRegister, 'segments'>
  readonly mapping: Pick<MappingReader, 'framesOfSegment'>
  readonly inventory: Pick<ObjectInventory, 'objects' | 'uploads'>
  readonly references: ReferenceLog
  readonly holders: SegmentHolders
  readonly clock: Pick<Clock, 'nowMs'>
}

/** Tells under which DEK an object is now. Errors: SEAL_STORE_*. */
export interface SegmentHolders {
  /** null when the object is not there, or is no segment. */
  dekOf(objectKey: string): Promise<string | null>
}

/** What a sweep may touch. */
export interface SweepScope {
  /** Of object keys, without slashes at its ends. Segments elsewhere belong to somebody else. */
  readonly prefix: string
  /** The key domains that are sealed here; null when messages name them. */
  readonly domains: ReadonlySet<string> | null
  /** Nothing younger than this is touched. */
  readonly ageMs: number
  readonly signal: AbortSignal
  /** Hears how a sweep gets on. */
  readonly onProgress: (stage: SweepStage, done: number, total?: number) => void
}

/** The parts of a sweep, in their order. */
export type SweepStage = 'segments' | 'objects' | 'references' | 'removals'

/**
 * What a sweep makes of a segment that is old and not marked as published:
 * orphan: nothing refers to it, and nothing ever will; published: a reference names it, its mark got
 * lost; young: something of it has come lately; unknown: not to be told from here, so it is kept;
 * alarm: it was swept, and yet is published; given-up: a re-encryption that never took place, so
 * that what is there belongs to another DEK.
 */
export type SweepVerdict = 'orphan' | 'published' | 'young' | 'unknown' | 'alarm' | 'given-up'

/** One segment that was looked at closely. */
export interface SweepItem {
  readonly segment: SegmentEntry
  readonly verdict: SweepVerdict
  readonly reason: string
  /** All versions of its object. */
  readonly objects: readonly StoredObject[]
  readonly uploads: readonly OpenUpload[]
}

/** What a sweep would do, and what it has seen. */
export interface SweepPlan {
  readonly items: readonly SweepItem[]
  /** Segments on record: of all prefixes, and those that were passed over as young. */
  readonly seen: number
  readonly young: number
  /** Open uploads that no intent names. They are not touched. */
  readonly unnamedUploads: readonly OpenUpload[]
}

/** Clocks of writers, the store and the broker may differ by this much. */
export const CLOCK_SKEW_MS = 60 * 60 * 1000

interface Candidate {
  readonly segment: SegmentEntry
  readonly objects: readonly StoredObject[]
  readonly uploads: readonly OpenUpload[]
  /** Topics of its mapping rows; none where it has no rows. */
  readonly topics: ReadonlySet<string>
}

/** The age guard: what has no age that is known is not old either. */
export function isOld(atMs: number, ageMs: number, nowMs: number): boolean {
  return nowMs - atMs >= ageMs
}

/**
 * Finds what crashed and fenced encryptors left behind, and changes nothing. In this order:
 *
 *   open uploads -> all intents -> what is left of each candidate -> the references
 *
 * An upload that was listed has its intent on record by then. A candidate is a segment that is not
 * marked as published, and old: no encryptor commits a reference to it any more, since one that is
 * not published in time (segment.publishWithin) is given up. So whatever a reading of the references
 * that begins now does not show will never come. Errors: those of the ports, SEAL_STOPPED.
 */
export async function planSweep(sources: SweepSources, scope: SweepScope): Promise<SweepPlan> {
  const nowMs = sources.clock.nowMs()
  const uploads = await openUploads(sources, scope)
  const found = await candidateSegments(sources, scope, uploads, nowMs)
  const items: SweepItem[] = [...found.alarms]
  const candidates: Candidate[] = []
  const watched: SegmentEntry[] = []
  let looked = 0
  for (const segment of found.segments) {
    heed(scope.signal)
    scope.onProgress('objects', ++looked, found.segments.length)
    const candidate = await candidateOf(sources, segment, uploads.get(segment.objectKey) ?? [])
    const reason =
      reasonToKeep(candidate, sources, scope, nowMs) ?? (await verdictOfAttempt(sources, candidate))
    if (isDone(candidate)) {
      // A reference that comes in spite of all comes soon after the sweep.
      if (!isOld(segment.sweptAtMs ?? nowMs, scope.ageMs, nowMs)) watched.push(segment)
    } else if (reason === null) candidates.push(candidate)
    else items.push({ ...candidate, ...reason })
  }
  items.push(...(await judge(sources, scope, candidates, watched)))
  const unnamedUploads = [...uploads.values()].flat().filter(({ key }) => !found.keys.has(key))
  return { items, seen: found.seen, young: found.young, unnamedUploads }
}

async function openUploads(
  { inventory }: SweepSources,
  { prefix }: SweepScope,
): Promise<ReadonlyMap<string, readonly OpenUpload[]>> {
  const uploads = new Map<string, OpenUpload[]>()
  for await (const upload of inventory.uploads(segmentFolder({ prefix }))) {
    uploads.set(upload.key, [...(uploads.get(upload.key) ?? []), upload])
  }
  return uploads
}

/** Walks the register; holds the candidates, and which of the uploads an intent names. */
async function candidateSegments(
  { register }: SweepSources,
  { prefix, ageMs, onProgress, signal }: SweepScope,
  uploads: ReadonlyMap<string, readonly OpenUpload[]>,
  nowMs: number,
) {
  const segments: SegmentEntry[] = []
  const alarms: SweepItem[] = []
  const keys = new Set<string>()
  let seen = 0
  let young = 0
  for await (const segment of register.segments()) {
    heed(signal)
    onProgress('segments', ++seen)
    if (uploads.has(segment.objectKey)) keys.add(segment.objectKey)
    if (!segment.objectKey.startsWith(segmentFolder({ prefix }))) continue
    if (segment.state === 'published') {
      if (segment.sweptAtMs === null) continue
      const reason = 'is marked as published, and was swept'
      alarms.push({ segment, verdict: 'alarm', reason, objects: [], uploads: [] })
    } else if (segment.state === 'replaced' || segment.state === 'shredded') continue
    else if (isOld(begunAtMs(segment), ageMs, nowMs)) segments.push(segment)
    else young++
  }
  return { segments, alarms, keys, seen, young }
}

async function candidateOf(
  { inventory, mapping }: SweepSources,
  segment: SegmentEntry,
  uploads: readonly OpenUpload[],
): Promise<Candidate> {
  const objects = await versionsOf(inventory, segment.objectKey)
  const topics = new Set<string>()
  for await (const { topic } of messagesOf(mapping, segment)) topics.add(topic)
  return { segment, objects, uploads, topics }
}

/** Swept before, and nothing has come since. What stands in the place of one that replaces is not its own. */
function isDone({ segment, objects, uploads, topics }: Candidate): boolean {
  if (segment.state !== 'swept') return false
  return segment.replaces !== null || objects.length + uploads.length + topics.size === 0
}

/** When the writing began that the entry speaks of. */
function begunAtMs({ createdAtMs, replaces }: SegmentEntry): number {
  return replaces?.atMs ?? createdAtMs
}

/**
 * null for a first writing. An intent to re-encrypt is never a reason to remove an object, which held
 * published messages before and holds them still, under whichever DEK.
 */
async function verdictOfAttempt(
  { holders }: SweepSources,
  { segment }: Candidate,
): Promise<Pick<SweepItem, 'verdict' | 'reason'> | null> {
  if (segment.replaces === null) return null
  const dekId = await holders.dekOf(segment.objectKey)
  if (dekId === segment.dekId) {
    const reason =
      'it was re-encrypted, and its job has not finished; re-encrypt again to finish it'
    return { verdict: 'unknown', reason }
  }
  return { verdict: 'given-up', reason: 'its re-encryption did not take place' }
}

/** What can be told without the references. */
function reasonToKeep(
  { segment, objects, uploads, topics }: Candidate,
  { references }: SweepSources,
  { prefix, domains, ageMs }: SweepScope,
  nowMs: number,
): Pick<SweepItem, 'verdict' | 'reason'> | null {
  const times = [
    ...objects.map(({ modifiedAtMs }) => modifiedAtMs),
    ...uploads.map(({ startedAtMs }) => startedAtMs),
  ]
  if (!times.every((atMs) => isOld(atMs, ageMs, nowMs))) {
    return { verdict: 'young', reason: 'what is in the bucket is younger than its intent' }
  }
  const domain = domainOf(segment.objectKey, prefix)
  if (domains !== null && (domain === null || !domains.has(domain))) {
    return { verdict: 'unknown', reason: 'its key domain is none of kafka.topics' }
  }
  if (![...topics].every((topic) => references.topics.includes(topic))) {
    return {
      verdict: 'unknown',
      reason: 'it holds messages of a topic that is not in kafka.topics',
    }
  }
  return null
}

/** Holds the candidates against the references, which have the last word. */
async function judge(
  { references, mapping }: SweepSources,
  { signal }: SweepScope,
  candidates: readonly Candidate[],
  watched: readonly SegmentEntry[],
): Promise<readonly SweepItem[]> {
  const segments = candidates.map(({ segment }) => segment)
  const times = [
    ...segments.map(({ createdAtMs }) => createdAtMs),
    ...watched.map(({ sweptAtMs }) => sweptAtMs ?? 0),
  ]
  if (times.length === 0) return []
  const sinceMs = Math.min(...times) - CLOCK_SKEW_MS
  const keys = new Set([...segments, ...watched].map(({ objectKey }) => objectKey))
  const { named, completeSinceMs } = await findNamed(references, keys, sinceMs, signal)
  const isCovered = (segment: SegmentEntry) =>
    segment.createdAtMs - CLOCK_SKEW_MS >= completeSinceMs
  const doubtful = segments.filter((segment) => !isCovered(segment))
  const proven = await provenElsewhere(references, mapping, doubtful, sinceMs, signal)
  const nothing = { objects: [], uploads: [] }
  const late = watched.filter(({ objectKey }) => named.has(objectKey))
  return [
    ...late.map((segment) => ({ segment, ...nothing, ...verdictOf(segment, true, true) })),
    ...candidates.map(({ segment, objects, uploads }) => {
      const isKnown = isCovered(segment) || proven.has(segment)
      const verdict = verdictOf(segment, named.has(segment.objectKey), isKnown)
      return { segment, objects, uploads, ...verdict }
    }),
  ]
}

function verdictOf(
  segment: SegmentEntry,
  isNamed: boolean,
  isKnown: boolean,
): Pick<SweepItem, 'verdict' | 'reason'> {
  if (isNamed && segment.state === 'swept') {
    return { verdict: 'alarm', reason: 'a committed reference names it, and it was swept' }
  }
  if (isNamed) return { verdict: 'published', reason: 'a committed reference names it' }
  if (isKnown) return { verdict: 'orphan', reason: 'no committed reference names it' }
  return { verdict: 'unknown', reason: 'the references of its time cannot be read in full' }
}

/** null for a key that is not one of a segment under the prefix. */
function domainOf(objectKey: string, prefix: string): string | null {
  const step = objectKey.slice(segmentFolder({ prefix }).length).split('/')[0] ?? ''
  try {
    return decodeURIComponent(step)
  } catch {
    return null
  }
}

function heed(signal: AbortSignal): void {
  if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the sweep was stopped')
}
