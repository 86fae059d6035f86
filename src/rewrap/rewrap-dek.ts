import type { Clock } from '../clock.ts'
import { isSealError, SealError } from '../errors.ts'
import { areSameKek } from '../keys/kek-name.ts'
import type { DirectoryEntry, WritableKeyDirectory } from '../keys/key-directory.ts'
import type { KeyEventLog } from '../keys/key-events.ts'
import type { DekRecord } from '../keys/key-store.ts'
import type { Kms } from '../keys/kms.ts'
import { kmsContextOf } from '../keys/kms-context.ts'
import type { WrapRegister } from '../keys/wrap-register.ts'
import { WRAPPED_DEK_BYTES_MAX } from '../limits.ts'
import { isInScope, type RewrapScope } from './scope.ts'
import { type SegmentHeaders, verifyWrap } from './verify-wrap.ts'

/** What it takes to wrap a DEK anew. */
export interface DekRewrapServices {
  readonly register: WrapRegister
  readonly directory: WritableKeyDirectory
  readonly events: Pick<KeyEventLog, 'append'>
  readonly kms: Pick<Kms, 'rewrap' | 'unwrap'>
  readonly headers: SegmentHeaders
  readonly clock: Clock
}

/** rewrapped: it was under the old KEK, and is not any more; current: it was not. */
export type DekOutcome = 'rewrapped' | 'current'

/** Two that wrap one DEK anew are in each other's way once; more is somebody else. */
const TRIES_MAX = 5

/**
 * Wraps one DEK anew, if its wrap of now is in scope: in the register, or in the key directory alone.
 * The directory leads, because its entry is replaced only by whoever has seen the one before:
 *
 *   1. note for look-ups that the new KEK wraps it     (too much after a crash, never too little)
 *   2. replace the entry in the key directory          (readers find the new wrap from now on)
 *   3. append the event
 *   4. replace the wrap in the register                (the DEK is done)
 *
 * Whoever finds a DEK between 2 and 4, after a crash or because somebody else is at work, verifies the
 * entry and goes on with 3. Both wraps are good all the time. Throws what must be told of this DEK:
 * SEAL_COMMITMENT_MISMATCH, SEAL_KEY_TAMPERED, SEAL_KEK_*, SEAL_KMS_*, SEAL_STORE_*, SEAL_MAPPING_*.
 */
export async function rewrapDek(
  services: DekRewrapServices,
  scope: RewrapScope,
  dekId: string,
): Promise<DekOutcome> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const record = await services.register.find(dekId)
    // Nothing was ever sealed under a DEK that is not on record: its making was cut off.
    // And of one that was shredded there is no wrap.
    if (record === null || record.wrapped.length === 0) return 'current'
    const found = await services.directory.find(dekId)
    refuseForeign(record, found)
    const isTorn = found !== null && !areSameWrap(found.dek, record)
    const isMeant = [record, ...(found === null ? [] : [found.dek])].some((dek) =>
      isInScope(scope, dek),
    )
    if (!isMeant && !isTorn) return tries === 0 ? 'current' : 'rewrapped'
    try {
      if (await rewrapOnce(services, scope, record, found)) return 'rewrapped'
    } catch (error) {
      // Somebody else was first: what is there is looked at again.
      if (!isSealError(error, 'SEAL_OBJECT_CHANGED')) throw error
    }
  }
  const message = `somebody else goes on wrapping DEK ${dekId} anew, try again when that has ended`
  throw new SealError('SEAL_OBJECT_CHANGED', message)
}

/** False when the register came to another wrap meanwhile. */
async function rewrapOnce(
  services: DekRewrapServices,
  scope: RewrapScope,
  record: DekRecord,
  found: DirectoryEntry | null,
): Promise<boolean> {
  const { register, directory, events, clock } = services
  const revision = found?.revision ?? null
  if (found !== null && !isInScope(scope, record) && isInScope(scope, found.dek)) {
    // The register is ahead: somebody has put an older entry back.
    await verifyWrap(services, record, found.dek)
    await directory.replace(record, revision)
    return true
  }
  const taken = await left(services, scope, record, found)
  const next = taken ?? (await wrapAnew(services, scope, record))
  await register.noteWrap(next)
  if (taken === null) await directory.replace(next, revision)
  const { dekId, kekId, kekVersion } = next
  const { actor, reason } = scope
  await events.append([
    { dekId, kind: 'rewrapped', atMs: clock.nowMs(), actor, reason, kekId, kekVersion },
  ])
  return register.replaceWrap(next, record.wrapped)
}

/**
 * What somebody has left in the key directory who did not come to the register: taken over when it
 * holds the DEK and is under the KEK that is wanted. null when there is nothing of the kind.
 */
async function left(
  services: DekRewrapServices,
  scope: RewrapScope,
  record: DekRecord,
  found: DirectoryEntry | null,
): Promise<DekRecord | null> {
  if (found === null || isInScope(scope, found.dek) || areSameWrap(found.dek, record)) return null
  const isRecordMeant = isInScope(scope, record)
  const isWanted = areSameKek(found.dek.kekId, scope.targetOf(record.keyDomain))
  if (isRecordMeant && !isWanted) return null
  try {
    await verifyWrap(services, found.dek, record)
    return found.dek
  } catch (error) {
    const isOther = isSealError(error, 'SEAL_COMMITMENT_MISMATCH', 'SEAL_KEY_TAMPERED')
    if (isOther && isRecordMeant) return null
    throw error
  }
}

async function wrapAnew(
  services: DekRewrapServices,
  scope: RewrapScope,
  record: DekRecord,
): Promise<DekRecord> {
  const { dekId, keyDomain } = record
  const target = scope.targetOf(keyDomain)
  const context = kmsContextOf(dekId, keyDomain)
  const wrap = await services.kms.rewrap(record.kekId, record.wrapped, target, context)
  const next = { ...record, ...wrap }
  if (wrap.wrapped.length > WRAPPED_DEK_BYTES_MAX) {
    const message = `the KMS wraps data keys into ${wrap.wrapped.length} bytes; readers take ${WRAPPED_DEK_BYTES_MAX}`
    throw new SealError('SEAL_KMS_REFUSED', message)
  }
  if (isInScope(scope, next)) {
    const version = next.kekVersion === null ? '' : ` version ${next.kekVersion}`
    const message = `the KMS wraps under ${next.kekId}${version}, which is what is to be replaced; rotate first, or name another KEK`
    throw new SealError('SEAL_KMS_REFUSED', message)
  }
  await verifyWrap(services, next, record)
  return next
}

function refuseForeign(record: DekRecord, found: DirectoryEntry | null): void {
  if (found === null) return
  const { dekId, keyDomain } = found.dek
  if (dekId === record.dekId && keyDomain === record.keyDomain) return
  const message = `the entry of DEK ${record.dekId} in the key directory is that of another`
  throw new SealError('SEAL_KEY_TAMPERED', message)
}

function areSameWrap(a: DekRecord, b: DekRecord): boolean {
  return a.kekId === b.kekId && Buffer.compare(a.wrapped, b.wrapped) === 0
}
