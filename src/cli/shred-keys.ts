import type { ShredPlace } from '../compose/shred.ts'
import type { Config } from '../config/schema.ts'
import { shredDeks } from '../incident/shred.ts'
import {
  deksToShred,
  inventoryOf,
  type ShredInventory,
  type ShredKeys,
} from '../incident/shred-plan.ts'
import type { ShredReport } from '../incident/shred-receipt.ts'
import { newRequest, rotateEverywhere, unconfirmed } from '../keys/rotation.ts'
import type { DekEntry } from '../mapping/mapping-store.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { printable } from './printable.ts'
import { startProgress } from './progress.ts'
import type { Terminal } from './terminal.ts'

/** Who destroys, with what, and whether it is done or told. */
export interface ShredContext {
  readonly config: Config
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly isDone: boolean
  readonly actor: string
  readonly reason: string
  /** Instances that have ended, as the operator knows. */
  readonly dead: ReadonlySet<string>
}

/** How long instances may take to let go of the DEKs. */
const RETIRE_MS_MAX = 60_000

/**
 * Destroys DEKs, or tells what would be. Instances that hold them are asked to retire them first; null
 * when one did not confirm that, and then nothing is destroyed.
 */
export async function shredKeys(
  context: ShredContext,
  keys: ShredKeys,
): Promise<ShredReport | null> {
  const { config, isDone } = context
  const { withShred } = await import('../compose/shred.ts')
  return withShred(config, isDone, async (place) => {
    const startedAtMs = place.clock.nowMs()
    // A key that is on no record shows before anybody is asked for anything.
    const before = await deksToShred(place, keys)
    if (!isDone) {
      const found = await inventoryOf(place, before, context.signal)
      return reportOf(keys, context, startedAtMs, startedAtMs, found)
    }
    if (!(await retire(context, place, keys))) return null
    const deks = before
    const progress = startProgress('segments and versions', true)
    try {
      const { actor, reason, signal } = context
      const scope = { prefix: config.s3.prefix, actor, reason, signal }
      const outcome = await shredDeks(place, deks, { ...scope, onAdvanced: () => progress.add(1) })
      tellLate(context, deks, await deksToShred(place, keys))
      const found = await inventoryOf(place, deks, signal)
      const { remaining, versions, uploads } = outcome
      const report = reportOf(keys, context, startedAtMs, place.clock.nowMs(), found)
      return { ...report, remaining, removed: { versions, uploads } }
    } finally {
      progress.end()
    }
  })
}

/** DEKs that were made since are in use, so they stay; whoever meant them must know. */
function tellLate(
  { terminal }: ShredContext,
  deks: readonly DekEntry[],
  now: readonly DekEntry[],
): void {
  const known = new Set(deks.map(({ dekId }) => dekId))
  const late = now.filter(({ dekId }) => !known.has(dekId)).length
  if (late === 0) return
  terminal.err(
    `sealstream: ${late} data keys were made meanwhile and stay: the key domain is still sealed for; end that, and run it again\n`,
  )
  terminal.exitCode = EXIT_CODES.failed
}

/** Whether no instance holds one of the DEKs any more. */
async function retire(
  { actor, reason, dead, signal, terminal }: ShredContext,
  { office, clock }: Pick<ShredPlace, 'office' | 'clock'>,
  keys: ShredKeys,
): Promise<boolean> {
  const scope = { dekId: null, keyDomain: null, ...keys }
  const request = newRequest({ actor, reason: `shred: ${reason}`, scope }, clock.nowMs())
  const report = await rotateEverywhere({ office, clock }, request, {
    ...{ timeoutMs: RETIRE_MS_MAX, signal, dead },
    onChange: () => {},
  })
  const holders = unconfirmed(report)
  if (holders.length === 0) return true
  const names = holders.map(({ instanceId, standing }) => `${printable(instanceId)} (${standing})`)
  terminal.err(
    `sealstream: nothing was destroyed: ${holders.length} instances did not confirm that they let go of it: ${names.join(', ')}; if one has ended: --dead\n`,
  )
  terminal.exitCode = EXIT_CODES.unanswered
  return false
}

function reportOf(
  keys: ShredKeys,
  { isDone, reason }: ShredContext,
  startedAtMs: number,
  endedAtMs: number,
  found: ShredInventory,
): ShredReport {
  const { segments, messages, bytes } = isDone ? found.shredded : found
  const deks = found.deks.map(({ dekId }) => dekId)
  return {
    subject: 'dekId' in keys ? `DEK ${keys.dekId}` : `key domain ${keys.keyDomain}`,
    ...{ reason, startedAtMs, endedAtMs, deks, segments, messages, bytes },
    ...{ ranges: found.ranges, movedTo: found.moved.dekIds },
    ...{ removed: { versions: 0, uploads: 0 }, remaining: [], unpublished: [] },
  }
}
