import type { Dependent } from '../incident/dependent.ts'
import { type DependentSources, walkDependents } from '../incident/dependents.ts'
import { type PlanSources, planReencryption } from '../reencryption/plan.ts'
import { type Declaration, kekNameOf, leftKekOf } from './incident.ts'
import { reencryptionScopeOf } from './reencrypt-segments.ts'
import { NAMES_MAX, type StepControl, type StepEnding } from './step-work.ts'

/** Where a proof looks. Nothing is changed, and no key used. */
export interface ProvePorts {
  readonly dependents: DependentSources
  readonly sources: PlanSources
  readonly clock: { nowMs(): number }
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
}

/**
 * Looks through the whole store, the key directory and the index for anything that the old key opens:
 * what depends on it, and objects whose own metadata has a wrap by it although their DEK is under
 * another by now. Done when there is nothing. Objects do not tell the version of their KEK: where one
 * version is to be left, these are told by the key directory and the index. Throws SEAL_STORE_* and
 * SEAL_MAPPING_*.
 */
export async function prove(
  { dependents, sources, clock, prefix }: ProvePorts,
  declaration: Declaration,
  { signal, listener }: StepControl,
): Promise<StepEnding> {
  listener.began('objects looked at', null)
  const found = { deks: 0, objects: 0, bytes: 0, retained: 0 }
  let retainedUntilMs: number | null = null
  const names: string[] = []
  const visit = (one: Dependent) => {
    if (names.length < NAMES_MAX) names.push(nameOf(one))
    if (one.kind === 'dek') {
      found.deks++
      return
    }
    found.objects++
    found.bytes += one.bytes
    if (one.retainedUntilMs === null) return
    found.retained++
    retainedUntilMs = Math.max(retainedUntilMs ?? 0, one.retainedUntilMs)
  }
  const scope = { prefix, signal, onScanned: () => listener.advanced(1) }
  const totals = await walkDependents(dependents, leftKekOf(declaration), scope, visit)
  const left = await planReencryption(sources, reencryptionScopeOf(declaration), clock.nowMs())
  const isOfOneVersion = declaration.kekVersion !== null
  const opened = isOfOneVersion ? left.segments : totals.rewrapped
  const details = {
    ...{ ...totals, dependentDeks: found.deks, dependentObjects: found.objects },
    ...{ dependentBytes: found.bytes, retained: found.retained, opened, names },
    retainedUntilMs: Number.isFinite(retainedUntilMs) ? retainedUntilMs : null,
    isOfOneVersion,
  }
  if (found.deks + found.objects + opened === 0) return { kind: 'done', details }
  const what = `${found.objects} objects, ${found.deks} DEKs and ${opened} wraps in metadata`
  const reason = `${what} are still opened by ${kekNameOf(declaration)}: ${names[0] ?? 'objects whose DEK was only rewrapped'}`
  return { kind: 'unproven', reason, details }
}

function nameOf(one: Dependent): string {
  if (one.kind === 'dek') return `DEK ${one.dekId} (${one.standing}; ${one.where.join(', ')})`
  return `${one.objectKey} (${one.why})`
}
