import type { PlainError } from '../../../errors.ts'
import type { GeneratedDataKey, WrappedKey } from '../../../keys/kms.ts'

/** How a token is reached. */
export interface Pkcs11Options {
  /** Library of the HSM, as a path. */
  readonly module: string
  readonly tokenLabel: string
  /** User PIN of the token, as text or in a file, which wins. The file is read at every login. */
  readonly pin?: string | undefined
  readonly pinFile?: string | undefined
}

/** What is asked of a token. `aad` is the canonical context. Bytes are copies, and go to the thread. */
export type Pkcs11Call =
  | { readonly name: 'generate'; readonly kekId: string; readonly aad: Uint8Array }
  | {
      readonly name: 'unwrap'
      readonly kekId: string
      readonly wrapped: Uint8Array
      readonly aad: Uint8Array
    }
  | {
      readonly name: 'rewrap'
      readonly kekId: string
      readonly wrapped: Uint8Array
      readonly toKekId: string
      readonly aad: Uint8Array
    }

/** What the calls are answered with. Plaintext is moved between threads, not copied. */
export interface Pkcs11Answers {
  readonly generate: GeneratedDataKey
  readonly unwrap: Uint8Array
  readonly rewrap: WrappedKey
}

/** What the thread of a module begins with. */
export interface Pkcs11ThreadData {
  readonly module: string
  /** Memory of the exit gate. */
  readonly gate: SharedArrayBuffer
}

/** What the thread of a module is told. A seat is one user of one token. */
export type ToPkcs11Thread =
  | { readonly kind: 'take'; readonly seat: number; readonly options: Pkcs11Options }
  | { readonly kind: 'call'; readonly seat: number; readonly id: number; readonly call: Pkcs11Call }
  | { readonly kind: 'leave'; readonly seat: number }

/** What the thread answers to a call. */
export type FromPkcs11Thread = { readonly id: number } & (
  | { readonly ok: true; readonly value: Pkcs11Answers[keyof Pkcs11Answers] }
  | { readonly ok: false; readonly error: PlainError }
)
