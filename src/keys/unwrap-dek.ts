import { isSealError, SealError } from '../errors.ts'
import type { DecodedMetadata } from '../format/segment-metadata.ts'
import { Dek } from './dek.ts'
import { isSameKek } from './kek-name.ts'
import type { KeyDirectory } from './key-directory.ts'
import type { DekRecord } from './key-store.ts'
import type { Unwrapper } from './kms.ts'
import { kmsContextOf } from './kms-context.ts'

/** Where a reader gets DEKs from. */
export interface DekSources {
  readonly kms: Unwrapper
  readonly directory: KeyDirectory
}

/**
 * What the KMS says of a KEK that opens nothing any more, for this reader at least. An altered wrap
 * is none of it: that must be told, and not be passed over.
 */
const NOT_OPENING = ['SEAL_KEK_DISABLED', 'SEAL_KEK_DESTROYED', 'SEAL_KMS_DENIED'] as const

const KEK_NAME_LENGTH_MAX = 200

/**
 * The DEK of a segment, for whoever asks: the caller holds the first share. The wrap in the metadata
 * is asked for first. When its KEK opens nothing any more, or is none that is trusted, the key
 * directory tells the wrap that the DEK has now; its KEK must be trusted too, and it is unwrapped
 * with the context of the segment. What comes out is not known to be the right DEK before the
 * commitment of the segment says so ({@link Dek.openSegment}), whichever way it came.
 * Throws SEAL_KEK_NOT_ALLOWED before the KMS is asked, SEAL_KEK_*, SEAL_KEY_TAMPERED, SEAL_KMS_*,
 * and SEAL_STORE_UNAVAILABLE while the directory cannot be asked.
 */
export async function unwrapDek(
  sources: DekSources,
  allowedKekIds: readonly string[],
  metadata: DecodedMetadata,
): Promise<Dek> {
  const { kekId, wrapped, keyDomain, header } = metadata
  const { dekId, createdAtMs } = header
  const own = { dekId, keyDomain, kekId, kekVersion: null, wrapped, createdAtMs }
  const isAllowed = (named: string) => allowedKekIds.some((allowed) => isSameKek(allowed, named))
  const refusal = isAllowed(kekId) ? await tryToUnwrap(sources, own) : notAllowed(kekId, 'is')
  if (!isSealError(refusal)) return refusal
  const current = await currentWrap(sources.directory, own, refusal)
  if (!isAllowed(current.kekId)) throw notAllowed(current.kekId, 'is by now')
  return unwrap(sources, { ...own, kekId: current.kekId, wrapped: current.wrapped })
}

/** The DEK, or why its KEK does not open it. */
async function tryToUnwrap(sources: DekSources, dek: DekRecord): Promise<Dek | SealError> {
  try {
    return await unwrap(sources, dek)
  } catch (error) {
    if (isSealError(error, ...NOT_OPENING)) return error
    throw error
  }
}

async function unwrap({ kms }: DekSources, dek: DekRecord): Promise<Dek> {
  const context = kmsContextOf(dek.dekId, dek.keyDomain)
  return new Dek(dek, await kms.unwrap(dek.kekId, dek.wrapped, context))
}

/** The wrap in the directory. Throws `refusal`, saying more, when there is no other than `own`. */
async function currentWrap(
  directory: KeyDirectory,
  own: DekRecord,
  refusal: SealError,
): Promise<DekRecord> {
  const found = await directory.find(own.dekId).catch((error: unknown) => {
    if (!isSealError(error) || error.retryable) throw error
    throw saying(refusal, `its entry in the key directory does not help: ${error.message}`)
  })
  if (found === null) throw saying(refusal, 'the key directory has no entry of the data key')
  const { dek } = found
  if (dek.dekId !== own.dekId || dek.keyDomain !== own.keyDomain) {
    const message = `the entry of data key ${own.dekId} in the key directory is that of another`
    throw new SealError('SEAL_KEY_TAMPERED', message)
  }
  const isSame = dek.kekId === own.kekId && Buffer.compare(dek.wrapped, own.wrapped) === 0
  if (isSame) throw refusal
  return dek
}

function notAllowed(kekId: string, is: string): SealError {
  return new SealError(
    'SEAL_KEK_NOT_ALLOWED',
    `the data key ${is} wrapped under ${kekId.slice(0, KEK_NAME_LENGTH_MAX)}, which is not on the allow-list; add it to kms.allowedKeyIds if you trust it`,
  )
}

function saying({ code, message, retryable }: SealError, more: string): SealError {
  return new SealError(code, `${message}; ${more}`, { retryable })
}
