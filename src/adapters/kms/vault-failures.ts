import { type ErrorCode, SealError } from '../../errors.ts'
import type { VaultAnswer } from './vault-client.ts'

/** A request to one key of a Transit engine. */
export interface VaultRequest {
  /** The address of the server. */
  readonly where: string
  /** What is asked for, with the key as the caller named it. */
  readonly doing: string
  readonly mount: string
  /** The path below the mount. */
  readonly path: string
}

type Refusal = readonly [ErrorCode, remedy: string]

const WORDS_LENGTH_MAX = 160

/** Client errors that pass by themselves: a slow request, a replica that lags, a quota. */
const PASSING = new Set([408, 412, 425, 429, 472, 473])

/** What Transit says in a 400, and what it means here. OpenBao alone has soft deletion. */
const REFUSED_WORDS: readonly (readonly [RegExp, Refusal])[] = [
  [
    /disallowed by policy \(too old\)/,
    [
      'SEAL_KEK_DISABLED',
      'the version that wrapped is below min_decryption_version; lower that, or restore the version',
    ],
  ],
  [
    /version is too new/,
    ['SEAL_KEK_DESTROYED', 'the key has no such version, was it restored from a backup?'],
  ],
  [/soft.?deleted/i, ['SEAL_KEK_DISABLED', 'the key is soft-deleted; restore it']],
  [/encryption key not found/, ['SEAL_KEK_DESTROYED', 'no such key; mend kms.keyId']],
  [
    /message authentication failed|invalid ciphertext/,
    ['SEAL_KEY_TAMPERED', 'the wrapped key was altered, or is of another context or KEK'],
  ],
]

/** The failure that an answer means that brings no data. Nothing of the request is in it. */
export function vaultFailure(answer: VaultAnswer, request: VaultRequest): SealError {
  const { status, body } = answer
  const errors = Array.isArray(body?.errors) ? body.errors : null
  const words = wordsOf(errors ?? [])
  const { where, doing } = request
  const isFinal = status >= 400 && status < 500 && !PASSING.has(status)
  if (errors === null || !isFinal) {
    const reason = errors === null ? 'what answers is no Vault' : words
    return new SealError(
      'SEAL_KMS_UNAVAILABLE',
      `${where} does not answer (${doing}: status ${status}${reason === '' ? '' : `, ${reason}`})`,
      { retryable: true },
    )
  }
  const [code, remedy] = refusalOf(status, words, request)
  const said = words === '' ? `status ${status}` : words
  return new SealError(code, `${where} refuses ${doing} (${said}): ${remedy}`)
}

function refusalOf(status: number, words: string, request: VaultRequest): Refusal {
  const { mount, path } = request
  if (status === 401 || status === 403) {
    const right = path.startsWith('keys/') ? 'read' : 'update'
    return ['SEAL_KMS_DENIED', `renew the token, or let its policy ${right} ${mount}/${path}`]
  }
  if (status === 404) {
    return /no handler|unsupported path/.test(words)
      ? ['SEAL_KEK_DESTROYED', `no Transit engine is mounted at ${mount}; mend kms.vault.mount`]
      : ['SEAL_KEK_DESTROYED', `no such key in ${mount}; mend kms.keyId or kms.vault.mount`]
  }
  const known = REFUSED_WORDS.find(([pattern]) => pattern.test(words))
  return known?.[1] ?? ['SEAL_KMS_REFUSED', 'see what Vault says of this key']
}

/** What Vault says, on one line. Whatever could be a key or a token is left out. */
function wordsOf(errors: readonly unknown[]): string {
  return errors
    .filter((error) => typeof error === 'string')
    .join(' ')
    .replace(/[A-Za-z0-9+/=_.-]{24,}/g, '…')
    .replace(/[^\x21-\x7e…]+/g, ' ')
    .trim()
    .slice(0, WORDS_LENGTH_MAX)
}
