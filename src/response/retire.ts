import type { Clock } from '../clock.ts'
import { isSealError } from '../errors.ts'
import type { KekAdmin, KekEnd } from '../keys/kek-admin.ts'
import type { KekOrderLog } from '../keys/kek-orders.ts'
import type { Kms } from '../keys/kms.ts'
import { type Declaration, kekNameOf } from './incident.ts'
import type { StepControl, StepEnding } from './step-work.ts'

/** What it takes to retire a KEK. */
export interface RetirePorts {
  readonly orders: Pick<KekOrderLog, 'retire'>
  readonly kms: Pick<Kms, 'generateDataKey'>
  readonly clock: Clock
  /** null where this provider has to be told by a person. */
  readonly admin: KekAdmin | null
  /** What a person has to do in the KMS, in words. */
  readonly byHand: readonly string[]
}

/** A KMS takes a while to hear of it everywhere. */
const REFUSED_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 1_000

/**
 * Marks the old key as retired: from now on no order and no start of an encryptor brings it back into
 * force. Where that is wanted and can be done, it is switched off in the KMS as well, and seen to be
 * refused. May be repeated. Throws what the KMS says.
 */
export async function retire(
  ports: RetirePorts,
  declaration: Declaration,
  control: StepControl,
): Promise<StepEnding> {
  // The canary of a drill goes back and forth between KEKs.
  if (declaration.kind === 'drill')
    return { kind: 'done', details: { marked: false, inKms: 'drill' } }
  const { kekId, kekVersion, incidentId, actor } = declaration
  const { orders, clock, admin, byHand } = ports
  const mark = { kekId, kekVersion, atMs: clock.nowMs(), actor, reason: `incident ${incidentId}` }
  await orders.retire(mark)
  if (!control.isKmsTold || admin === null) {
    return { kind: 'done', details: { marked: true, inKms: 'by-hand', toDo: [...byHand] } }
  }
  const end = await admin.end(kekId, kekVersion)
  const refusedWith = kekVersion === null ? await refusalOf(ports, declaration, control) : null
  if (kekVersion === null && refusedWith === null) {
    const reason = `the KMS still wraps under ${kekNameOf(declaration)} ${REFUSED_WITHIN_MS / 1000} s after it was told to end it`
    return { kind: 'unproven', reason, details: { marked: true, inKms: end.kind } }
  }
  return { kind: 'done', details: { ...detailsOf(end), refusedWith } }
}

function detailsOf({ kind, remains }: KekEnd) {
  return { marked: true, inKms: kind, toDo: [...remains] }
}

/** What the KMS refuses the old key with; null when it goes on wrapping under it. */
async function refusalOf(
  { kms, clock }: RetirePorts,
  { kekId }: Declaration,
  { signal }: StepControl,
): Promise<string | null> {
  const endMs = clock.elapsedMs() + REFUSED_WITHIN_MS
  for (;;) {
    try {
      const made = await kms.generateDataKey(kekId, { app: 'sealstream', use: 'kek-check' })
      made.plaintext.fill(0)
    } catch (error) {
      if (isSealError(error, 'SEAL_KEK_DISABLED', 'SEAL_KEK_DESTROYED')) return error.code
      throw error
    }
    if (signal.aborted || clock.elapsedMs() >= endMs) return null
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}
