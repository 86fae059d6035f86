import { isSameKek } from './kek-name.ts'
import type { DekRecord } from './key-store.ts'

/** A KEK, or one version of it, that everything is to be brought away from. */
export interface LeftKek {
  /** In full or bare. */
  readonly kekId: string
  /** null for all of them. */
  readonly kekVersion: string | null
}

/**
 * Whether a new DEK would leave a job without effect. Where the KMS does not tell versions, any wrap
 * under the KEK counts as one by the version that is to be left.
 */
export function isUnder(dek: Pick<DekRecord, 'kekId' | 'kekVersion'>, left: LeftKek): boolean {
  if (!isSameKek(left.kekId, dek.kekId)) return false
  return left.kekVersion === null || dek.kekVersion === null || dek.kekVersion === left.kekVersion
}
