import pkcs11js, { type PKCS11 } from 'pkcs11js'
import { messageOf, SealError } from '../../../errors.ts'
import { ckrOf, failureOf } from './failure.ts'

/** What is called of a module. */
export type Cryptoki = Pick<
  PKCS11,
  | 'C_Initialize'
  | 'C_Finalize'
  | 'C_GetSlotList'
  | 'C_GetTokenInfo'
  | 'C_OpenSession'
  | 'C_CloseSession'
  | 'C_GetSessionInfo'
  | 'C_Login'
  | 'C_FindObjectsInit'
  | 'C_FindObjects'
  | 'C_FindObjectsFinal'
  | 'C_GetAttributeValue'
  | 'C_GenerateRandom'
  | 'C_EncryptInit'
  | 'C_Encrypt'
  | 'C_DecryptInit'
  | 'C_Decrypt'
>

/** The last PIN that a token was given, and its refusal; null when it was taken. */
export interface Pkcs11Login {
  readonly pin: string
  readonly refusal: SealError | null
}

/**
 * A loaded module. Its state is that of the whole process: sessions, logins, whether it was
 * started. So one thread holds it, and what another part of the process has started is not ended.
 */
export class Pkcs11Module {
  readonly path: string
  readonly api: Cryptoki
  /** By label of the token. For the life of the process, so that nobody brings a refused PIN again. */
  readonly logins = new Map<string, Pkcs11Login>()
  #state: 'idle' | 'own' | 'shared' = 'idle'
  #starts = 0

  constructor(path: string, api: Cryptoki) {
    this.path = path
    this.api = api
  }

  /** Sessions opened before this number changed are gone. */
  get starts(): number {
    return this.#starts
  }

  /** Starts the module where that was not done. Returns whether it was now. Throws SEAL_KMS_*. */
  start(): boolean {
    if (this.#state !== 'idle') return false
    try {
      this.api.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
      this.#state = 'own'
    } catch (error) {
      if (ckrOf(error) !== 'CKR_CRYPTOKI_ALREADY_INITIALIZED') {
        throw failureOf(error, `the module ${this.path}`, 'its start')
      }
      this.#state = 'shared'
    }
    this.#starts++
    return true
  }

  /**
   * Ends the module and starts it again: what many need before they see a token that came back.
   * Returns false, having done nothing, when another part of the process has started it.
   */
  restart(): boolean {
    if (this.#state === 'shared') return false
    try {
      if (this.#state === 'own') this.api.C_Finalize()
    } catch {
      // It is told to forget everything; whether it agrees changes nothing.
    }
    this.#state = 'idle'
    return this.start()
  }
}

/** Loads the module at `path`. Throws SEAL_KMS_REFUSED when it cannot be loaded. */
export function loadPkcs11Module(path: string): Pkcs11Module {
  const api = new pkcs11js.PKCS11()
  try {
    api.load(path)
  } catch (error) {
    throw new SealError(
      'SEAL_KMS_REFUSED',
      `the PKCS#11 module cannot be loaded (${messageOf(error)}); mend kms.pkcs11.module`,
    )
  }
  return new Pkcs11Module(path, api)
}
