import { areSameKek } from '../keys/kek-name.ts'
import type { WrappedKey } from '../keys/kms.ts'

/** Which wraps are replaced, and by what. */
export interface RewrapScope {
  /** The KEK whose wraps are replaced, in full or by its bare id. */
  readonly kekId: string
  /** Only wraps of this version of it; null means all. */
  readonly kekVersion: string | null
  /** The KEK that is to wrap the DEKs of a key domain. */
  readonly targetOf: (keyDomain: string) => string
  readonly actor: string
  readonly reason: string
}

/** Whether this wrap is one of those that are replaced. */
export function isInScope(
  { kekId, kekVersion }: Pick<RewrapScope, 'kekId' | 'kekVersion'>,
  wrap: Pick<WrappedKey, 'kekId' | 'kekVersion'>,
): boolean {
  return areSameKek(kekId, wrap.kekId) && (kekVersion === null || kekVersion === wrap.kekVersion)
}
