import { deksInScope, type ImpactReader, type ImpactScope } from '../incident/impact-scope.ts'
import { segmentsInScope } from '../incident/scoped-segments.ts'
import type { LeftKek } from '../keys/left-kek.ts'
import type { DekEntry, SegmentEntry } from '../mapping/mapping-store.ts'
import type { RotationLog } from '../mapping/rotation-log.ts'
import { isExpired, isItem } from './dek-progress.ts'

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
  /** Tells what is old, and leaves out what is done. */
  readonly rotation: Pick<RotationLog, 'agedDeks'>
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
  /** Re-encrypted before; of an age, those alone whose DEK has other data left. */
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
    if (isItem(segment, nowMs)) yield segment
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
    } else if (segment.state !== 'swept' && segment.state !== 'shredded') plan.unpublished++
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
  { mapping, rotation }: PlanSources,
  { madeBeforeMs = Number.POSITIVE_INFINITY, ...scope }: ReencryptionScope,
): AsyncGenerator<SegmentOfDek> {
  const { dekId, kekId, keyDomain, topic } = scope
  const isOfAge = madeBeforeMs !== Number.POSITIVE_INFINITY
  if (topic !== undefined || dekId !== undefined || kekId !== undefined || !isOfAge) {
    for await (const found of segmentsInScope(mapping, scope)) {
      if (found.dek.createdAtMs < madeBeforeMs) yield found
    }
    return
  }
  // One that nobody knows is told, and not taken for one that has nothing.
  if (keyDomain !== undefined) for await (const _ of deksInScope(mapping, { keyDomain })) break
  const domains = keyDomain === undefined ? mapping.keyDomains() : [keyDomain]
  for await (const name of domains) {
    for await (const dek of rotation.agedDeks(name, madeBeforeMs)) {
      if (dek.done !== null) continue
      for await (const segment of mapping.segmentsOfDek(dek.dekId)) yield { dek, segment }
    }
  }
}
