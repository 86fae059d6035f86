import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import type { AgedDek, RotationLog, RotationRound } from '../mapping/rotation-log.ts'
import type { SegmentReplacements } from '../mapping/segment-replacements.ts'
import { isItem, NO_SEGMENTS, ProgressCount, sumOf } from './dek-progress.ts'
import { shareOut } from './share-out.ts'
import type { WorkQueue } from './work-queue.ts'

/** What a round works with. */
export interface RoundServices {
  readonly rotation: RotationLog
  readonly mapping: Pick<MappingReader, 'segmentsOfDek'> & Pick<LookUps, 'keyDomains'>
  readonly marks: Pick<SegmentReplacements, 'recordDue'>
  readonly queue: Pick<WorkQueue, 'offer' | 'left'>
  readonly clock: Clock
}

/** How a round is gone about. */
export interface RoundSettings {
  readonly olderThanMs: number
  /** How long after the begin of one round the next one begins. */
  readonly everyMs: number
  /** After so many segments a look gives out no more DEKs; the next look goes on with the others. */
  readonly ordersMax: number
  /** Who holds the lease, and for how long at a time. */
  readonly holder: string
  readonly leaseMs: number
}

/** The lease is taken anew after this share of its time. */
const RENEW_SHARE = 1 / 3
const DAY_MS = 86_400_000

/** Whether somebody should look: the next round is due, or what one gave out is worked off. */
export async function isLookDue(
  { queue, clock }: Pick<RoundServices, 'queue' | 'clock'>,
  latest: RotationRound | null,
  settings: RoundSettings,
): Promise<boolean> {
  if (latest !== null && !latest.isOpen && !isOver(latest, settings, clock.nowMs())) return false
  // What is given out waits for what was before.
  return (await queue.left()) === 0
}

/** Whether it is time for the next round. */
function isOver(
  { startedAtMs, olderThanMs }: RotationRound,
  settings: RoundSettings,
  nowMs: number,
): boolean {
  return olderThanMs !== settings.olderThanMs || nowMs - startedAtMs >= settings.everyMs
}

/**
 * Looks at all data whose DEK is older than the limit, under the lease: counts it, gives out orders
 * for what this round has not given out yet, and notes DEKs and days of which nothing is left. What it
 * notes is all that there is of a round, so whoever holds the lease next goes on with it. Returns null
 * when another has the lease, or nothing is due any more. Errors: SEAL_KAFKA_*, SEAL_MAPPING_*.
 */
export async function lookAtRound(
  services: RoundServices,
  settings: RoundSettings,
): Promise<RotationRound | null> {
  const { rotation, clock } = services
  if (!(await rotation.hold(settings.holder, settings.leaseMs))) return null
  try {
    // Whoever had the lease until now may have done what there was to do.
    const latest = await rotation.latestRound()
    if (!(await isLookDue(services, latest, settings))) return null
    const isGoneOnWith = latest !== null && !isOver(latest, settings, clock.nowMs())
    const startedAtMs = isGoneOnWith ? latest.startedAtMs : clock.nowMs()
    const round = await new RoundLook(services, settings, startedAtMs).run()
    await rotation.recordRound(round)
    return round
  } finally {
    await rotation.release(settings.holder)
  }
}

class RoundLook {
  readonly #services: RoundServices
  readonly #settings: RoundSettings
  readonly #startedAtMs: number
  #due = NO_SEGMENTS
  #oldestAtMs: number | null = null
  #ordered = 0
  #heldAtMs: number

  constructor(services: RoundServices, settings: RoundSettings, startedAtMs: number) {
    this.#services = services
    this.#settings = settings
    this.#startedAtMs = startedAtMs
    this.#heldAtMs = services.clock.elapsedMs()
  }

  async run(): Promise<RotationRound> {
    const { mapping, rotation, clock } = this.#services
    const { olderThanMs } = this.#settings
    const limitMs = this.#startedAtMs - olderThanMs
    for await (const keyDomain of mapping.keyDomains()) {
      let openAtMs = limitMs
      for await (const dek of rotation.agedDeks(keyDomain, limitMs)) {
        if (dek.done !== null || (await this.#lookAt(dek))) continue
        openAtMs = Math.min(openAtMs, dek.createdAtMs)
      }
      await this.#hold()
      await rotation.closeDays(keyDomain, openAtMs - DAY_MS)
    }
    return {
      ...{ startedAtMs: this.#startedAtMs, countedAtMs: clock.nowMs(), olderThanMs },
      ...{ isOpen: this.#ordered > 0, due: this.#due, oldestAtMs: this.#oldestAtMs },
    }
  }

  /** Returns whether nothing is under the DEK any more. */
  async #lookAt(dek: AgedDek): Promise<boolean> {
    const { rotation, queue, marks, clock } = this.#services
    const count = new ProgressCount()
    const isGivenOut = dek.orderedAtMs !== null && dek.orderedAtMs >= this.#startedAtMs
    const items = this.#items(dek, count)
    if (isGivenOut || this.#ordered >= this.#settings.ordersMax) for await (const _ of items);
    else {
      const ordered = await shareOut({ queue, marks }, items, {})
      if (ordered > 0) await rotation.recordOrdered(dek, clock.nowMs())
      this.#ordered += ordered
    }
    const { due, done } = count.progress
    this.#due = sumOf(this.#due, due)
    if (due.segments > 0) this.#oldestAtMs = Math.min(this.#oldestAtMs ?? Infinity, dek.createdAtMs)
    if (count.isDone) await rotation.recordDone(dek, done, clock.nowMs())
    return count.isDone
  }

  async *#items(dek: AgedDek, count: ProgressCount): AsyncGenerator<SegmentEntry> {
    const { mapping, clock } = this.#services
    for await (const segment of mapping.segmentsOfDek(dek.dekId)) {
      await this.#hold()
      count.add(segment)
      if (isItem(segment, clock.nowMs())) yield segment
    }
  }

  async #hold(): Promise<void> {
    const { rotation, clock } = this.#services
    const { holder, leaseMs } = this.#settings
    if (clock.elapsedMs() - this.#heldAtMs < leaseMs * RENEW_SHARE) return
    this.#heldAtMs = clock.elapsedMs()
    if (await rotation.hold(holder, leaseMs)) return
    const message = 'another process has taken over the scheduling of re-encryptions'
    throw new SealError('SEAL_STOPPED', message)
  }
}
