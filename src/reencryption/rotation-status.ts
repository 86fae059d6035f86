import type { LookUps } from '../mapping/look-ups.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import type { RotationLog, RotationRound, SegmentTotals } from '../mapping/rotation-log.ts'
import { NO_SEGMENTS, ProgressCount, sumOf } from './dek-progress.ts'

/** What a report reads. */
export interface StatusSources {
  readonly rotation: Pick<RotationLog, 'agedDeks' | 'closedTotals' | 'latestRound'>
  readonly mapping: Pick<MappingReader, 'segmentsOfDek'> & Pick<LookUps, 'keyDomains'>
}

/** The data of one key domain whose DEK is older than the limit. */
export interface DomainStatus {
  readonly keyDomain: string
  /** Too old, and not given out. */
  readonly due: SegmentTotals
  /** Given out for re-encryption. */
  readonly running: SegmentTotals
  /** Under younger DEKs by now. */
  readonly done: SegmentTotals
  /** Begun or sealed and never published; a sweep sees to them. */
  readonly unpublished: number
  /** Re-encrypted, with a version under the old DEK that the store keeps. */
  readonly retained: number
  /** When the oldest DEK was made that has data left; null when none has. */
  readonly oldestAtMs: number | null
}

/** What is due, running and done, by key domain, and the latest round of the schedule. */
export interface RotationStatus {
  readonly latest: RotationRound | null
  readonly domains: readonly DomainStatus[]
}

/** Counts what is older than a limit as it is now; changes nothing. Errors: SEAL_MAPPING_*. */
export async function rotationStatus(
  sources: StatusSources,
  madeBeforeMs: number,
): Promise<RotationStatus> {
  const latest = await sources.rotation.latestRound()
  const domains: DomainStatus[] = []
  for await (const keyDomain of sources.mapping.keyDomains()) {
    const status = await domainStatus(sources, keyDomain, madeBeforeMs, latest)
    const { due, running, done, unpublished, retained } = status
    const segments = due.segments + running.segments + done.segments + unpublished + retained
    if (segments > 0) domains.push(status)
  }
  domains.sort((a, b) => (a.oldestAtMs ?? Infinity) - (b.oldestAtMs ?? Infinity))
  return { latest, domains }
}

async function domainStatus(
  { rotation, mapping }: StatusSources,
  keyDomain: string,
  madeBeforeMs: number,
  latest: RotationRound | null,
): Promise<DomainStatus> {
  const openSinceMs = latest?.isOpen ? latest.startedAtMs : Number.POSITIVE_INFINITY
  let [due, running] = [NO_SEGMENTS, NO_SEGMENTS]
  let done = await rotation.closedTotals(keyDomain)
  let [unpublished, retained] = [0, 0]
  let oldestAtMs: number | null = null
  for await (const dek of rotation.agedDeks(keyDomain, madeBeforeMs)) {
    if (dek.done !== null) {
      done = sumOf(done, dek.done)
      continue
    }
    const count = new ProgressCount()
    for await (const segment of mapping.segmentsOfDek(dek.dekId)) count.add(segment)
    const { progress } = count
    const isRunning = dek.orderedAtMs !== null && dek.orderedAtMs >= openSinceMs
    if (isRunning) running = sumOf(running, progress.due)
    else due = sumOf(due, progress.due)
    done = sumOf(done, progress.done)
    unpublished += progress.unpublished
    retained += progress.retained
    if (progress.due.segments > 0) oldestAtMs ??= dek.createdAtMs
  }
  return { keyDomain, due, running, done, unpublished, retained, oldestAtMs }
}
