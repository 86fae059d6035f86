import { forEachOf } from '../for-each-of.ts'
import { CALLS_PER_REWRAP } from '../keys/budgeted-kms.ts'
import type { WrapRegister } from '../keys/wrap-register.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import { costUsdOf, type Prices } from '../service-costs.ts'
import { isInScope, type RewrapScope } from './scope.ts'

/** What a rewrap would do. */
export interface RewrapPlan {
  /** DEKs that the KEK ever wrapped. */
  readonly deks: number
  /** Those whose wrap of now is in scope. */
  readonly toRewrap: number
  /** The same by the KEK that is to wrap them. */
  readonly targets: readonly { readonly kekId: string; readonly deks: number }[]
  /** Calls to the KMS: a rewrap counts as two, and each new wrap is unwrapped once. */
  readonly kmsCalls: number
  readonly costUsd: number
  /** At the calls a second that are allowed. */
  readonly seconds: number
}

/** What calls cost, and how many there may be. */
export interface RewrapPace {
  readonly kmsCallsPerSecond: number
  readonly prices: Prices
}

const READS_AT_ONCE = 16
const CALLS_PER_DEK = CALLS_PER_REWRAP + 1

/**
 * Counts what is in scope, by what the register says; asks no KMS. DEKs that sealed nothing cost a
 * call more each, since both wraps are compared. Errors: SEAL_MAPPING_*.
 */
export async function planRewrap(
  {
    mapping,
    register,
  }: {
    readonly mapping: Pick<MappingReader, 'deksOfKek'>
    readonly register: Pick<WrapRegister, 'find'>
  },
  scope: RewrapScope,
  { kmsCallsPerSecond, prices }: RewrapPace,
): Promise<RewrapPlan> {
  let deks = 0
  const targets = new Map<string, number>()
  await forEachOf(deksEver(mapping, scope), READS_AT_ONCE, async ({ dekId }) => {
    deks++
    const record = await register.find(dekId)
    if (record === null || record.wrapped.length === 0 || !isInScope(scope, record)) return
    const target = scope.targetOf(record.keyDomain)
    targets.set(target, (targets.get(target) ?? 0) + 1)
  })
  const toRewrap = [...targets.values()].reduce((sum, count) => sum + count, 0)
  const kmsCalls = toRewrap * CALLS_PER_DEK
  return {
    ...{ deks, toRewrap, kmsCalls },
    targets: [...targets].map(([kekId, count]) => ({ kekId, deks: count })),
    costUsd: costUsdOf({ kmsCalls, s3Reads: 0, s3Writes: 0 }, prices),
    seconds: kmsCalls / kmsCallsPerSecond,
  }
}

/** Every DEK that the KEK (and version) of the scope ever wrapped. */
export function deksEver(
  mapping: Pick<MappingReader, 'deksOfKek'>,
  { kekId, kekVersion }: RewrapScope,
): ReturnType<MappingReader['deksOfKek']> {
  return mapping.deksOfKek(kekId, ...(kekVersion === null ? [] : [kekVersion]))
}
