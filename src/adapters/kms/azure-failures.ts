import { type ErrorCode, SealError } from '../../errors.ts'

type Refusal = readonly [ErrorCode, remedy: string]

/** What an error of the vendor's client may carry. Its text is read, never passed on. */
interface ClientError {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly statusCode?: unknown
  /** The answer as the client parsed it, when it is one of a vault. */
  readonly details?: { readonly error?: VaultError | null } | null
}

interface VaultError {
  readonly code?: unknown
  readonly message?: unknown
  readonly innerError?: { readonly code?: unknown } | null
}

/** Which errors are about tokens, and not of the vault. */
const TOKEN_ERROR = /^(?:Authentication|CredentialUnavailable|AggregateAuthentication)/

/** Inner codes of "Forbidden", which says of itself little. */
const FORBIDDEN: Readonly<Record<string, Refusal>> = {
  KeyDisabled: ['SEAL_KEK_DISABLED', 'enable the key version or configure another key'],
  KeyNotYetValid: ['SEAL_KEK_DISABLED', 'the key version is not valid yet; mend its dates'],
  KeyExpired: [
    'SEAL_KEK_DISABLED',
    'the key version has expired; mend its dates or rotate the key',
  ],
  KeyOperationForbidden: [
    'SEAL_KMS_REFUSED',
    'the key must permit wrapKey and unwrapKey, or encrypt and decrypt with A256GCM',
  ],
  ForbiddenByFirewall: ['SEAL_KMS_DENIED', 'the network rules of the vault keep this machine out'],
}

const GRANT =
  'grant get, wrapKey and unwrapKey on keys (role Key Vault Crypto Service Encryption User), with A256GCM get, encrypt and decrypt (role Managed HSM Crypto User)'

/** What a vault says when key and algorithm do not fit, in answers with status 400. */
const MISFIT = /incompatible|algorithm|not supported|key type|kty/i

/**
 * The failure of a call to a vault. `doing` names the key; `isOpening` tells unwrapping from
 * wrapping, since a vault says of altered bytes only that a parameter is wrong. The error itself
 * stays out.
 */
export function azureFailure(error: unknown, doing: string, isOpening: boolean): SealError {
  const failure = (error ?? {}) as ClientError
  const message = typeof failure.message === 'string' ? failure.message : ''
  if (TOKEN_ERROR.test(String(failure.name))) return tokenFailure(failure.name, message, doing)
  if (/challenge/i.test(message) && failure.statusCode === undefined) {
    return new SealError(
      'SEAL_KMS_REFUSED',
      `what answers for ${doing} asks for tokens of another service; mend the vault in the name of the key`,
    )
  }
  const { status, code, inner, text } = answerOf(failure)
  const refusal = code === undefined ? null : refusalOf(status, inner, text, isOpening)
  if (refusal !== null) {
    const [sealCode, remedy] = refusal
    const named = inner === undefined ? code : `${code}, ${inner}`
    return new SealError(sealCode, `the vault refuses ${doing} (${named}): ${remedy}`)
  }
  const reason = status === undefined ? failure.code : code
  return new SealError(
    'SEAL_KMS_UNAVAILABLE',
    `the vault does not answer (${doing}: ${typeof reason === 'string' ? reason : 'what answers is no key vault'})`,
    { retryable: true },
  )
}

function refusalOf(
  status: number | undefined,
  inner: string | undefined,
  text: string,
  isOpening: boolean,
): Refusal | null {
  switch (status) {
    case 400:
      return isOpening && !MISFIT.test(text)
        ? ['SEAL_KEY_TAMPERED', 'the wrapped key was altered, or is of another KEK']
        : ['SEAL_KMS_REFUSED', 'kms.azure.algorithm does not fit the key']
    case 401:
      return ['SEAL_KMS_DENIED', 'mend kms.azure.tenantId, clientId and clientSecret']
    case 403:
      return FORBIDDEN[inner ?? ''] ?? ['SEAL_KMS_DENIED', GRANT]
    case 404:
      return ['SEAL_KEK_DESTROYED', 'no such key or version; mend kms.keyId or recover the key']
    case 405:
    case 501:
      return ['SEAL_KMS_REFUSED', 'the vault cannot do this']
    default:
      return null
  }
}

function tokenFailure(name: unknown, message: string, doing: string): SealError {
  const refused =
    /\bAADSTS\d+/.exec(message)?.[0] ?? /invalid_client|unauthorized_client/.exec(message)?.[0]
  if (refused !== undefined) {
    return new SealError(
      'SEAL_KMS_DENIED',
      `Microsoft Entra refuses a token for ${doing} (${refused}): mend kms.azure.tenantId, clientId and clientSecret`,
    )
  }
  if (/Unavailable|Aggregate/.test(String(name))) {
    return new SealError(
      'SEAL_KMS_DENIED',
      `no credentials for ${doing}: set kms.azure.tenantId, clientId and clientSecret, or Azure credentials`,
      // A managed identity may be away for a moment.
      { retryable: true },
    )
  }
  return new SealError('SEAL_KMS_UNAVAILABLE', `Microsoft Entra gives no token for ${doing}`, {
    retryable: true,
  })
}

/** Status and codes of a vault's answer; `code` is undefined when what answered is no vault. */
function answerOf({ statusCode, details }: ClientError) {
  const error = details?.error ?? {}
  const text = typeof error.message === 'string' ? error.message : ''
  const inner = error.innerError?.code
  return {
    status: typeof statusCode === 'number' ? statusCode : undefined,
    code: typeof error.code === 'string' ? error.code : undefined,
    inner: typeof inner === 'string' ? inner : innerOf(text),
    text,
  }
}

/** The inner code that a text stands for: not every answer has one. */
function innerOf(text: string): string | undefined {
  return /\bdisabled key\b/i.test(text) ? 'KeyDisabled' : undefined
}
