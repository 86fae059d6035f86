import type { DekRecord } from '../keys/key-store.ts'
import type { DependentDek, WrapPlace } from './dependent.ts'

type Standing = DependentDek['standing']

interface Known {
  readonly keyDomain: string
  kekVersion: string | null
  readonly where: Set<WrapPlace>
  standing: Standing
}

const WEIGHT: Readonly<Record<Standing, number>> = { unused: 0, retained: 1, live: 2 }

/** DEKs that were found to depend on a KEK, and what was found under each. */
export class DekStandings {
  readonly #deks = new Map<string, Known>()

  /** Takes note of a wrap; of the same DEK in as many places as there are. */
  add(
    { dekId, keyDomain, kekVersion }: Pick<DekRecord, 'dekId' | 'keyDomain' | 'kekVersion'>,
    place: WrapPlace,
  ): void {
    const known = this.#deks.get(dekId) ?? newDek(keyDomain)
    known.where.add(place)
    known.kekVersion ??= kekVersion
    this.#deks.set(dekId, known)
  }

  has(dekId: string): boolean {
    return this.#deks.has(dekId)
  }

  /** Whether something is under the DEK that must not be lost. */
  isLive(dekId: string): boolean {
    return this.#deks.get(dekId)?.standing === 'live'
  }

  /** Something is under the DEK. Of several standings the weightiest holds. */
  note(dekId: string, standing: Standing): void {
    const known = this.#deks.get(dekId)
    if (known !== undefined && WEIGHT[standing] > WEIGHT[known.standing]) known.standing = standing
  }

  *list(): Generator<Omit<DependentDek, 'kind'>> {
    for (const [dekId, { where, ...dek }] of this.#deks) yield { dekId, ...dek, where: [...where] }
  }
}

function newDek(keyDomain: string): Known {
  return { keyDomain, kekVersion: null, where: new Set(), standing: 'unused' }
}
