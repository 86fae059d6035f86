import { deksInScope, type KeyScope } from '../incident/impact-scope.ts'
import type { LeftKek } from '../keys/left-kek.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'

/** What is to be re-encrypted: all that a key protects, or all that a DEK of a certain age does. */
export type ReencryptionScope =
  | KeyScope
  | {
      /** DEKs that were made before this. */
      readonly madeBeforeMs: number
    }

/** The KEK that everything in scope is to be brought away from; null when it is about DEKs. */
export function leftKekOf(scope: ReencryptionScope): LeftKek | null {
  if (!('kekId' in scope)) return null
  return { kekId: scope.kekId.trim(), kekVersion: scope.kekVersion ?? null }
}

/** Where a plan looks. */
export interface PlanSources {
  readonly mapping: Pick<MappingReader, 'findDek' | 'deksOfKek' | 'dekUnder' | 'segmentsOfDek'> &
    Pick<LookUps, 'deksOfDomain'>
  readonly register: Pick<SegmentRegister, 'segments'>
}

/** What a job would do. */
export interface ReencryptionPlan {
  readonly deks: number
  /** To be re-encrypted. */
  readonly segments: number
  readonly messages: number
  readonly bytes: number
  /** Re-encrypted before. */
  readonly done: number
  /** Of those, with a version that the store kept, and whose time is over now. */
  readonly expired: number
  /** Begun or sealed, and not published (yet): a later job, or a sweep, sees to them. */
  readonly unpublished: number
}

/** Segments that a job has work with, in constant memory. Throws SEAL_KEY_UNKNOWN and SEAL_MAPPING_*. */
export async function* itemsInScope(
  sources: PlanSources,
  scope: ReencryptionScope,
  nowMs: number,
): AsyncGenerator<SegmentEntry> {
  for await (const entry of entriesInScope(sources, scope)) {
    if (entry.state === 'published' || isExpired(entry, nowMs)) yield entry
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
  for await (const entry of entriesInScope(sources, scope)) {
    if (entry.state === 'published') {
      deks.add(entry.dekId)
      plan.segments++
      plan.messages += entry.messageCount ?? 0
      plan.bytes += entry.bytes ?? 0
    } else if (entry.state === 'replaced') {
      plan.done++
      if (isExpired(entry, nowMs)) plan.expired++
    } else if (entry.state !== 'swept') plan.unpublished++
  }
  return { deks: deks.size, ...plan }
}

async function* entriesInScope(
  { mapping, register }: PlanSources,
  scope: ReencryptionScope,
): AsyncGenerator<SegmentEntry> {
  if (!('madeBeforeMs' in scope)) {
    for await (const { dekId } of deksInScope(mapping, scope)) yield* mapping.segmentsOfDek(dekId)
    return
  }
  // One DEK has many segments, and they come one after another.
  let known = { dekId: '', isOld: false }
  for await (const entry of register.segments()) {
    if (entry.dekId !== known.dekId) {
      const dek = await mapping.findDek(entry.dekId)
      known = { dekId: entry.dekId, isOld: dek !== null && dek.createdAtMs < scope.madeBeforeMs }
    }
    if (known.isOld) yield entry
  }
}

function isExpired({ replaced }: SegmentEntry, nowMs: number): boolean {
  return replaced !== null && replaced.retainedUntilMs !== null && replaced.retainedUntilMs < nowMs
}
