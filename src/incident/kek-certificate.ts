import type { LeftKek } from '../keys/left-kek.ts'
import {
  type Dependent,
  type DependentObject,
  type DependentTotals,
  isRetainedCopy,
} from './dependent.ts'
import { type DependentScope, type DependentSources, walkDependents } from './dependents.ts'
import { type KekUse, type KekUser, usersOfKek } from './kek-in-use.ts'

/** What a certificate is made from. */
export interface CertificateSources extends DependentSources {
  readonly use: KekUse
}

/** How one is asked for. */
export interface CertificateRequest {
  readonly kek: LeftKek
  /** Instances that have ended, as the operator knows. */
  readonly dead: ReadonlySet<string>
  /** Older versions that the store keeps until a date are stated instead of refused. */
  readonly allowRetained: boolean
  readonly scope: DependentScope
  /** Hears of each thing that depends, as it is met. */
  readonly onDependent: (dependent: Dependent) => Promise<void> | void
}

/** A copy that will be there until a date. */
export interface RemainingCopy {
  readonly object: string
  readonly versionId: string | null
  readonly dekId: string | null
  /** ISO 8601; null under a legal hold, which has no end. */
  readonly until: string | null
}

/** What was found: enough for a certificate, or why there is none. */
export interface CertificateFindings {
  readonly isClean: boolean
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly counts: DependentCounts
  readonly totals: DependentTotals
  /** Empty unless they are allowed. */
  readonly remaining: readonly RemainingCopy[]
  /** Who may bring something under the KEK yet, before or after the walk. */
  readonly users: readonly KekUser[]
  /** DEKs that came under the KEK while it was walked over. */
  readonly newDeks: number
}

/** What depends, by kind. */
export interface DependentCounts {
  readonly liveDeks: number
  readonly retainedDeks: number
  /** On record, with nothing under them. */
  readonly unusedDeks: number
  readonly objects: number
  readonly retainedObjects: number
}

/**
 * Finds out whether anything depends on a KEK. New DEKs and segments under it are excluded by the
 * order in which it looks:
 *
 *   nobody may use it -> the walk over everything -> nobody may use it, and no DEK has come under it
 *
 * Who is seen before the walk not to use the KEK comes to it again only by a new order, or by a new
 * start under another configuration; the second look finds the one and the other. A KEK that is in
 * use is not walked over at all. Throws those of the ports, and SEAL_STOPPED.
 */
export async function findDependents(
  sources: CertificateSources,
  request: CertificateRequest,
): Promise<CertificateFindings> {
  const { kek, dead, scope } = request
  const { clock } = sources.use
  const startedAtMs = clock.nowMs()
  const before = await usersOfKek(sources.use, kek, dead)
  const tally = new Tally(request)
  if (before.length > 0) {
    return tally.findings({ startedAtMs, endedAtMs: clock.nowMs(), users: before })
  }
  const totals = await walkDependents(sources, kek, scope, (found) => tally.add(found))
  const users = await usersOfKek(sources.use, kek, dead)
  let onRecord = 0
  for await (const _ of sources.mapping.deksOfKek(kek.kekId)) onRecord++
  const newDeks = Math.max(0, onRecord - totals.deksOnRecord)
  return tally.findings({ startedAtMs, endedAtMs: clock.nowMs(), users, totals, newDeks })
}

const NO_TOTALS: DependentTotals = {
  ...{ versions: 0, messages: 0, directoryEntries: 0, deksOnRecord: 0 },
  ...{ segmentsOnRecord: 0, uploads: 0, rewrapped: 0 },
}

class Tally {
  readonly #request: CertificateRequest
  readonly #remaining: RemainingCopy[] = []
  readonly #counts = {
    ...{ liveDeks: 0, retainedDeks: 0, unusedDeks: 0 },
    ...{ objects: 0, retainedObjects: 0 },
  }

  constructor(request: CertificateRequest) {
    this.#request = request
  }

  async add(found: Dependent): Promise<void> {
    if (found.kind === 'dek') this.#counts[`${found.standing}Deks`]++
    else if (isRetainedCopy(found)) {
      this.#counts.retainedObjects++
      if (this.#request.allowRetained) this.#remaining.push(remainingCopy(found))
    } else this.#counts.objects++
    await this.#request.onDependent(found)
  }

  findings(
    ended: Pick<CertificateFindings, 'startedAtMs' | 'endedAtMs' | 'users'> &
      Partial<Pick<CertificateFindings, 'totals' | 'newDeks'>>,
  ): CertificateFindings {
    const { liveDeks, objects, retainedObjects } = this.#counts
    const isRetainedFine = this.#request.allowRetained || retainedObjects === 0
    const { users, newDeks = 0, totals = NO_TOTALS } = ended
    const isUnused = users.length + newDeks + liveDeks + objects === 0
    return {
      ...{ ...ended, totals, newDeks, isClean: isUnused && isRetainedFine },
      ...{ counts: { ...this.#counts }, remaining: this.#remaining },
    }
  }
}

function remainingCopy({
  objectKey: object,
  versionId,
  dekId,
  retainedUntilMs,
}: DependentObject): RemainingCopy {
  const isEndless = retainedUntilMs === null || !Number.isFinite(retainedUntilMs)
  const until = isEndless ? null : new Date(retainedUntilMs).toISOString()
  return { object, versionId, dekId, until }
}
