import { deksInScope, type ImpactReader, type ImpactScope } from '../incident/impact-scope.ts'
import { segmentsInScope } from '../incident/scoped-segments.ts'
import type { DekEntry, SegmentEntry } from '../mapping/mapping-store.ts'
import type { LeftKek } from './left-kek.ts'

/**
 * What is to be re-encrypted; all that is given must hold, and one thing at least is. A segment goes
 * as a whole: one with messages of the topic takes along those of other topics that it has.
 */
export interface ReencryptionScope extends Omit<ImpactScope, 'fromMs' | 'toMs'> {
  /** DEKs that were made before this. */
  readonly madeBeforeMs?: number
}

/** The KEK that everything in scope is to be brought away from; null when it is about DEKs. */
export function leftKekOf({ kekId, kekVersion }: ReencryptionScope): LeftKek | null {
  return kekId === undefined ? null : { kekId: kekId.trim(), kekVersion: kekVersion ?? null }
}

/** Whether the answer rests on look-ups that a keyspace may lack for what is old. */
export function needsLookUps({ dekId, kekId, topic }: ReencryptionScope): boolean {
  return topic !== undefined || (dekId === undefined && kekId === undefined)
}

/** Where a plan looks. */
export interface PlanSources {
  readonly mapping: ImpactReader
}

/** What a job would do. */
export interface ReencryptionPlan {
  readonly deks: number
  /** To be re-encrypted. */
  readonly segments: number
  readonly messages: number
  readonly bytes: number
  /** The same by key domain: each has DEKs of its own. */
  readonly domains: readonly DomainShare[]
  /** Re-encrypted before. */
  readonly done: number
  /** Of those, with a version that the store kept, and whose time is over now. */
  readonly expired: number
  /** Begun or sealed, and not published (yet): a later job, or a sweep, sees to them. */
  readonly unpublished: number
  /** false when something in scope may not be known to the look-ups. */
  readonly isComplete: boolean
}

/** What is to be re-encrypted of one key domain. */
export interface DomainShare {
  readonly keyDomain: string
  readonly messages: number
  readonly bytes: number
}

/** Segments that a job has work with, in constant memory. Throws SEAL_KEY_UNKNOWN, SEAL_SOURCE_UNKNOWN and SEAL_MAPPING_*. */
export async function* itemsInScope(
  sources: PlanSources,
  scope: ReencryptionScope,
  nowMs: number,
): AsyncGenerator<SegmentEntry> {
  for await (const { segment } of segmentsIn(sources, scope)) {
    if (segment.state === 'published' || isExpired(segment, nowMs)) yield segment
  }
}

/** Counts what {@link itemsInScope} gives, and what it leaves out. Errors as there. */
export async function planReencryption(
  sources: PlanSources,
  scope: ReencryptionScope,
  nowMs: number,
): Promise<ReencryptionPlan> {
  const plan = { segments: 0, messages: 0, bytes: 0, done: 0, expired: 0, unpublished: 0 }
  const deks = new Set<string>()
  const domains = new Map<string, DomainShare>()
  for await (const { dek, segment } of segmentsIn(sources, scope)) {
    if (segment.state === 'published') {
      deks.add(segment.dekId)
      plan.segments++
      plan.messages += segment.messageCount ?? 0
      plan.bytes += segment.bytes ?? 0
      domains.set(dek.keyDomain, grown(domains.get(dek.keyDomain), dek, segment))
    } else if (segment.state === 'replaced') {
      plan.done++
      if (isExpired(segment, nowMs)) plan.expired++
    } else if (segment.state !== 'swept') plan.unpublished++
  }
  const isComplete = !needsLookUps(scope) || (await sources.mapping.coverAll())
  return { deks: deks.size, ...plan, domains: [...domains.values()], isComplete }
}

function grown(
  share: DomainShare | undefined,
  { keyDomain }: DekEntry,
  { messageCount, bytes }: SegmentEntry,
): DomainShare {
  return {
    keyDomain,
    messages: (share?.messages ?? 0) + (messageCount ?? 0),
    bytes: (share?.bytes ?? 0) + (bytes ?? 0),
  }
}

interface SegmentOfDek {
  readonly dek: DekEntry
  readonly segment: SegmentEntry
}

async function* segmentsIn(
  { mapping }: PlanSources,
  { madeBeforeMs = Number.POSITIVE_INFINITY, ...scope }: ReencryptionScope,
): AsyncGenerator<SegmentOfDek> {
  const { dekId, kekId, keyDomain, topic } = scope
  if (topic !== undefined || dekId !== undefined || kekId !== undefined) {
    for await (const found of segmentsInScope(mapping, scope)) {
      if (found.dek.createdAtMs < madeBeforeMs) yield found
    }
    return
  }
  for await (const dek of deksBefore(mapping, keyDomain, madeBeforeMs)) {
    for await (const segment of mapping.segmentsOfDek(dek.dekId)) yield { dek, segment }
  }
}

/** Oldest first within a key domain, of which all are gone through where none is named. */
async function* deksBefore(
  mapping: ImpactReader,
  keyDomain: string | undefined,
  madeBeforeMs: number,
): AsyncGenerator<DekEntry> {
  if (keyDomain === undefined) {
    for await (const name of mapping.keyDomains()) yield* deksBefore(mapping, name, madeBeforeMs)
    return
  }
  for await (const dek of deksInScope(mapping, { keyDomain })) {
    if (dek.createdAtMs >= madeBeforeMs) return
    yield dek
  }
}

function isExpired({ replaced }: SegmentEntry, nowMs: number): boolean {
  return replaced !== null && replaced.retainedUntilMs !== null && replaced.retainedUntilMs < nowMs
}
