import { SealError } from '../errors.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { DekEntry, MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import { deksInScope } from './impact-scope.ts'

/** What is to be destroyed: one DEK, or all of a key domain. */
export type ShredKeys = { readonly dekId: string } | { readonly keyDomain: string }

/** Where a plan looks. */
export interface ShredSources {
  readonly mapping: Pick<MappingReader, 'findDek' | 'deksOfKek' | 'dekUnder'> &
    Pick<MappingReader, 'segmentsOfDek' | 'framesOfSegment'> &
    Pick<LookUps, 'deksOfDomain'>
}

/** Messages of one source partition that are or were under the DEKs. */
export interface ShredRange {
  readonly topic: string
  readonly partition: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly messages: number
}

/** What is on record of the DEKs. */
export interface ShredInventory {
  readonly deks: readonly DekEntry[]
  /** Objects there are on record, of segments that are not destroyed yet. */
  readonly segments: number
  readonly messages: number
  readonly bytes: number
  /** Destroyed, by this run or by one before. */
  readonly shredded: {
    readonly segments: number
    readonly messages: number
    readonly bytes: number
  }
  /** Re-encrypted since: these live on under other DEKs, which are named. */
  readonly moved: { readonly segments: number; readonly dekIds: readonly string[] }
  /** Of all segments but those that moved. */
  readonly ranges: readonly ShredRange[]
}

/** The DEKs that are meant, as they are on record. Throws SEAL_KEY_UNKNOWN, SEAL_MAPPING_*. */
export async function deksToShred(
  { mapping }: ShredSources,
  keys: ShredKeys,
): Promise<readonly DekEntry[]> {
  const deks: DekEntry[] = []
  for await (const dek of deksInScope(mapping, keys)) deks.push(dek)
  return deks
}

/** Counts what is on record of the DEKs; changes nothing. Throws SEAL_MAPPING_*, SEAL_STOPPED. */
export async function inventoryOf(
  { mapping }: ShredSources,
  deks: readonly DekEntry[],
  signal: AbortSignal,
): Promise<ShredInventory> {
  const live = { segments: 0, messages: 0, bytes: 0 }
  const shredded = { segments: 0, messages: 0, bytes: 0 }
  const moved = { segments: 0, dekIds: new Set<string>() }
  const ranges = new Map<string, ShredRange>()
  for (const { dekId } of deks) {
    for await (const entry of mapping.segmentsOfDek(dekId)) {
      if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the counting was stopped')
      const { state } = entry
      if (state === 'replaced') {
        moved.segments++
        if (entry.replaced !== null) moved.dekIds.add(entry.replaced.byDekId)
        continue
      }
      if (state === 'swept') continue
      const sum = state === 'shredded' ? shredded : live
      sum.segments++
      sum.messages += entry.messageCount ?? 0
      sum.bytes += entry.bytes ?? 0
      await addRanges(mapping, entry, ranges)
    }
  }
  return {
    ...{ deks, ...live, shredded, ranges: [...ranges.values()] },
    moved: { segments: moved.segments, dekIds: [...moved.dekIds] },
  }
}

async function addRanges(
  mapping: ShredSources['mapping'],
  entry: SegmentEntry,
  ranges: Map<string, ShredRange>,
): Promise<void> {
  for await (const { count, sources, source, offset } of mapping.framesOfSegment(entry)) {
    for (let i = 0; i < count; i++) {
      const { topic, partition } = sources[source[i] as number] as (typeof sources)[number]
      const at = offset[i] as number
      const place = `${topic}/${partition}`
      const known = ranges.get(place)
      ranges.set(place, {
        ...{ topic, partition, messages: (known?.messages ?? 0) + 1 },
        firstOffset: Math.min(known?.firstOffset ?? at, at),
        lastOffset: Math.max(known?.lastOffset ?? at, at),
      })
    }
  }
}
