import { type ErrorCode, messageOf, SealError } from '../../../errors.ts'

const DISABLED =
  'the key may not do that (CKA_ENCRYPT, CKA_DECRYPT); permit it or make a new version'
const PIN = 'mend kms.pkcs11.pin or pinFile; this PIN is not tried again'
const USER = 'see who may log in to the token, and how'
const MECHANISM = 'the HSM must offer CKM_AES_GCM with an IV of the caller for AES-256 keys'

/** Final answers of a module: their code here, and what they ask of the user. */
const REFUSALS: Readonly<Record<string, readonly [ErrorCode, remedy: string]>> = {
  CKR_PIN_INCORRECT: ['SEAL_KMS_DENIED', PIN],
  CKR_PIN_INVALID: ['SEAL_KMS_DENIED', PIN],
  CKR_PIN_LEN_RANGE: ['SEAL_KMS_DENIED', PIN],
  CKR_PIN_EXPIRED: ['SEAL_KMS_DENIED', 'set a new user PIN'],
  CKR_PIN_LOCKED: [
    'SEAL_KMS_DENIED',
    'the user PIN is locked; the security officer can set it anew',
  ],
  CKR_USER_PIN_NOT_INITIALIZED: ['SEAL_KMS_DENIED', 'the token has no user PIN yet; set one'],
  CKR_USER_TYPE_INVALID: ['SEAL_KMS_DENIED', USER],
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: ['SEAL_KMS_DENIED', USER],
  CKR_USER_TOO_MANY_TYPES: ['SEAL_KMS_DENIED', USER],
  CKR_ACTION_PROHIBITED: ['SEAL_KMS_DENIED', 'the HSM forbids it; see its policies'],
  CKR_KEY_FUNCTION_NOT_PERMITTED: ['SEAL_KEK_DISABLED', DISABLED],
  CKR_MECHANISM_INVALID: ['SEAL_KMS_REFUSED', MECHANISM],
  CKR_MECHANISM_PARAM_INVALID: ['SEAL_KMS_REFUSED', MECHANISM],
  CKR_KEY_TYPE_INCONSISTENT: ['SEAL_KMS_REFUSED', MECHANISM],
  CKR_KEY_SIZE_RANGE: ['SEAL_KMS_REFUSED', MECHANISM],
  CKR_ARGUMENTS_BAD: ['SEAL_KMS_REFUSED', MECHANISM],
  CKR_BUFFER_TOO_SMALL: ['SEAL_KMS_REFUSED', MECHANISM],
  CKR_FUNCTION_NOT_SUPPORTED: ['SEAL_KMS_REFUSED', 'see the manual of the HSM'],
  CKR_ATTRIBUTE_TYPE_INVALID: ['SEAL_KMS_REFUSED', 'the key lacks an attribute of AES secret keys'],
  CKR_RANDOM_NO_RNG: ['SEAL_KMS_REFUSED', 'the token must have a random generator'],
}

/** Answers to an opening that does not authenticate. */
const NOT_AUTHENTIC = new Set([
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_AEAD_DECRYPT_FAILED',
  'CKR_SIGNATURE_INVALID',
  'CKR_DATA_INVALID',
  'CKR_DATA_LEN_RANGE',
])

/** Answers that can mean a tag that is wrong and an HSM that is broken; SoftHSM 2.6 gives the first. */
const VAGUE = new Set(['CKR_GENERAL_ERROR', 'CKR_FUNCTION_FAILED'])

/** The return value that a module gave, by its name in PKCS#11; null when it is none. */
export function ckrOf(error: unknown): string | null {
  return /CKR_[A-Z0-9_]+/.exec(messageOf(error))?.[0] ?? null
}

/** Whether C_Decrypt said so of a wrong tag: surely, perhaps, or not at all. */
export function tellsWrongTag(error: unknown): 'yes' | 'perhaps' | 'no' {
  const ckr = ckrOf(error) ?? ''
  if (NOT_AUTHENTIC.has(ckr)) return 'yes'
  return VAGUE.has(ckr) ? 'perhaps' : 'no'
}

/** What a failed call of a module means. Whatever is not known to be final may pass. */
export function failureOf(error: unknown, where: string, doing: string): SealError {
  const ckr = ckrOf(error)
  const refusal = REFUSALS[ckr ?? '']
  if (refusal !== undefined) {
    const [code, remedy] = refusal
    return new SealError(code, `${where} refuses ${doing} (${ckr}): ${remedy}`)
  }
  return unavailable(`${where} does not answer (${doing}: ${ckr ?? messageOf(error)})`)
}

/** A failure that may pass. */
export function unavailable(message: string): SealError {
  return new SealError('SEAL_KMS_UNAVAILABLE', message, { retryable: true })
}
