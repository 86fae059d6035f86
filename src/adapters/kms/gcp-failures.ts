import { type ErrorCode, SealError } from '../../errors.ts'

/**
 * Codes of google.rpc.Code as the client reports them. INVALID_ARGUMENT and FAILED_PRECONDITION say
 * in their text alone what is wrong.
 */
const INVALID_ARGUMENT = 3
const FAILED_PRECONDITION = 9

type Refusal = readonly [ErrorCode, name: string, remedy: string]

/** Codes that mean one thing, and what they ask of the user. */
const REFUSALS: Readonly<Record<number, Refusal>> = {
  5: ['SEAL_KEK_DESTROYED', 'NOT_FOUND', 'no such key; mend kms.keyId'],
  6: ['SEAL_KMS_REFUSED', 'ALREADY_EXISTS', 'what answers is no KMS'],
  7: [
    'SEAL_KMS_DENIED',
    'PERMISSION_DENIED',
    'grant roles/cloudkms.cryptoKeyEncrypterDecrypter on the key',
  ],
  11: ['SEAL_KMS_REFUSED', 'OUT_OF_RANGE', 'the request is not valid for this key'],
  12: ['SEAL_KMS_REFUSED', 'UNIMPLEMENTED', 'the key cannot do this'],
  16: [
    'SEAL_KMS_DENIED',
    'UNAUTHENTICATED',
    'mend kms.gcp.credentialsFile or the application default credentials',
  ],
}

/** What an error of the vendor's client may carry. Its text is read, never passed on. */
interface ClientError {
  readonly code?: unknown
  readonly message?: unknown
  readonly reason?: unknown
  readonly cause?: { readonly code?: unknown } | null
}

/** The failure of a call to Google Cloud KMS. `doing` names the key; the error itself stays out. */
export function gcpFailure(error: unknown, where: string, doing: string): SealError {
  const { code, message, reason, cause } = (error ?? {}) as ClientError
  const text = typeof message === 'string' ? message : ''
  const refusal = refusalOf(code, text, reason)
  if (refusal !== null) {
    const [sealCode, name, remedy] = refusal
    return new SealError(sealCode, `${where} refuses ${doing} (${name}): ${remedy}`)
  }
  return new SealError(
    'SEAL_KMS_UNAVAILABLE',
    `${where} does not answer (${doing}: ${passingReason(code, text, cause?.code)})`,
    { retryable: true },
  )
}

function refusalOf(code: unknown, text: string, reason: unknown): Refusal | null {
  // The client makes a code of the status alone when something else answers, a proxy for one.
  if (typeof code !== 'number' || text.includes('could not be decoded')) return null
  if (reason === 'SERVICE_DISABLED') {
    return ['SEAL_KMS_DENIED', reason, 'enable the Cloud KMS API in the project of the key']
  }
  if (code === INVALID_ARGUMENT) return argumentRefusal(text)
  if (code === FAILED_PRECONDITION) return stateRefusal(text)
  return REFUSALS[code] ?? null
}

function argumentRefusal(text: string): Refusal | null {
  // The service saw other bytes than were sent: the next transfer may be whole.
  if (/crc32c|checksum/i.test(text)) return null
  const name = 'INVALID_ARGUMENT'
  if (/decryption failed|ciphertext is invalid/i.test(text)) {
    return [
      'SEAL_KEY_TAMPERED',
      name,
      'the wrapped key was altered, or is of another context or KEK',
    ]
  }
  // Tokens are fetched on the way, and their refusals come back as if they were of the KMS.
  if (/invalid_grant|invalid_client|unauthorized_client/.test(text)) {
    return ['SEAL_KMS_DENIED', 'no token', 'mend the application default credentials']
  }
  return ['SEAL_KMS_REFUSED', name, 'the request is not valid for this key, is it symmetric?']
}

function stateRefusal(text: string): Refusal {
  // "PATH is not enabled, current state is: STATE."
  const state = /\b(DESTROYED|DESTROY_SCHEDULED|DISABLED|PENDING_[A-Z_]+)\b/.exec(text)?.[1]
  if (state === 'DESTROYED') {
    return ['SEAL_KEK_DESTROYED', state, 'the key version that is needed is destroyed']
  }
  if (state !== undefined || /is not enabled/.test(text)) {
    return ['SEAL_KEK_DISABLED', state ?? 'not enabled', 'enable or restore the key version']
  }
  return ['SEAL_KMS_REFUSED', 'FAILED_PRECONDITION', 'see what the KMS says of this key']
}

function passingReason(code: unknown, text: string, cause: unknown): string {
  if (typeof cause === 'string') return cause
  if (text.includes('could not be decoded') || typeof code !== 'number') {
    return 'what answers is no KMS'
  }
  return code === INVALID_ARGUMENT ? 'the request was damaged on the way' : `status ${code}`
}
