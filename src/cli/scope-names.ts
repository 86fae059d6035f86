import { SealError } from '../errors.ts'
import type { ImpactScope } from '../incident/impact-scope.ts'

/** The options of a command that name keys and sources. */
export interface ScopeNames {
  readonly dek?: string
  readonly kek?: string
  readonly kekVersion?: string
  readonly domain?: string
  readonly topic?: string
  readonly partition?: number
}

/** The scope that they name. Throws SEAL_INPUT_INVALID where one lacks the one that it goes with. */
export function scopeNamed(options: ScopeNames): Omit<ImpactScope, 'fromMs' | 'toMs'> {
  const { dek, kek, kekVersion, domain, topic, partition } = options
  if (kekVersion !== undefined && kek === undefined) throw refused('--kek-version goes with --kek')
  if (partition !== undefined && topic === undefined) throw refused('--partition goes with --topic')
  return {
    ...(dek === undefined ? {} : { dekId: dek }),
    ...(kek === undefined ? {} : { kekId: kek }),
    ...(kekVersion === undefined ? {} : { kekVersion }),
    ...(domain === undefined ? {} : { keyDomain: domain }),
    ...(topic === undefined ? {} : { topic }),
    ...(partition === undefined ? {} : { partition }),
  }
}

function refused(message: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', message)
}
