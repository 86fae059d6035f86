import { readFileSync } from 'node:fs'
import ck, { type Handle } from 'pkcs11js'
import { isSealError, SealError } from '../../../errors.ts'
import type { Pkcs11Options } from './calls.ts'
import { ckrOf, failureOf, unavailable } from './failure.ts'
import type { Pkcs11Module } from './module.ts'

/** An open session of a user who is logged in. */
export interface Pkcs11Session {
  readonly handle: Handle
  readonly slot: Handle
  /** The start of the module that it belongs to. */
  readonly start: number
}

/** Answers after which the same PIN must not be tried again: tokens count. */
const PIN_REFUSED = /^CKR_PIN_/

/** CKS_RO_USER_FUNCTIONS and CKS_RW_USER_FUNCTIONS, which the package does not name. */
const USER_STATES = [1, 3]

/**
 * One token of a module: found by its label, logged in to, and opened again after it was away.
 * A PIN that was refused is not tried twice, nor any PIN when the next wrong one would lock the token.
 */
export class Pkcs11Token {
  readonly module: Pkcs11Module
  readonly #options: Pkcs11Options
  #session: Pkcs11Session | null = null

  constructor(module: Pkcs11Module, options: Pkcs11Options) {
    this.module = module
    this.#options = options
  }

  get label(): string {
    return this.#options.tokenLabel
  }

  /** As messages name it. */
  get where(): string {
    return `the token ${this.label}`
  }

  /**
   * Runs `work` in a session. A failure that may pass ends the session, so that the next call opens
   * another. Throws SealError alone; `doing` says what of.
   */
  use<T>(doing: string, work: (session: Pkcs11Session) => T): T {
    try {
      return work(this.#opened())
    } catch (error) {
      const failure = isSealError(error) ? error : failureOf(error, this.where, doing)
      // What a foreign error left of an operation under way goes with the session.
      if (failure.retryable || failure !== error) this.close()
      throw failure
    }
  }

  /** Whether the token is in its slot and the user logged in: else its keys only seem to be gone. */
  isPresent({ handle, slot }: Pkcs11Session): boolean {
    const { api } = this.module
    try {
      const isUser = USER_STATES.includes(api.C_GetSessionInfo(handle).state)
      return isUser && labelOf(api.C_GetTokenInfo(slot)) === this.label
    } catch {
      return false
    }
  }

  /** Ends the session. The next use opens another. */
  close(): void {
    const session = this.#session
    this.#session = null
    if (session !== null && session.start === this.module.starts) this.#end(session.handle)
  }

  #opened(): Pkcs11Session {
    if (this.#session?.start === this.module.starts) return this.#session
    const isFresh = this.module.start()
    try {
      this.#session = this.#open()
    } catch (error) {
      const failure = isSealError(error) ? error : failureOf(error, this.where, 'a session')
      if (!failure.retryable || isFresh || !this.module.restart()) throw failure
      this.#session = this.#open()
    }
    return this.#session
  }

  #open(): Pkcs11Session {
    const { api, starts } = this.module
    const slot = this.#slot()
    const handle = api.C_OpenSession(slot, ck.CKF_SERIAL_SESSION)
    try {
      this.#logIn(handle, slot)
    } catch (error) {
      this.#end(handle)
      throw error
    }
    return { handle, slot, start: starts }
  }

  #slot(): Handle {
    const { api, path } = this.module
    const slots = api.C_GetSlotList(true).filter((slot) => {
      try {
        return labelOf(api.C_GetTokenInfo(slot)) === this.label
      } catch {
        // A token that was pulled out this moment is not the one.
        return false
      }
    })
    const [slot] = slots
    if (slots.length > 1) {
      throw new SealError('SEAL_KMS_REFUSED', `two tokens of ${path} are labelled ${this.label}`)
    }
    if (slot !== undefined) return slot
    throw unavailable(
      `no token of ${path} is labelled ${this.label}; bring it back or mend kms.pkcs11.tokenLabel`,
    )
  }

  #logIn(session: Handle, slot: Handle): void {
    const { api, logins } = this.module
    const pin = this.#pin()
    const last = logins.get(this.label)
    if (last?.pin === pin && last.refusal !== null) throw last.refusal
    const { flags } = api.C_GetTokenInfo(slot)
    if ((flags & ck.CKF_USER_PIN_FINAL_TRY) !== 0 && (flags & ck.CKF_USER_PIN_LOCKED) === 0) {
      throw new SealError(
        'SEAL_KMS_DENIED',
        `one more wrong PIN would lock ${this.where}, so none is tried; log in once by hand with the right one`,
      )
    }
    try {
      api.C_Login(session, ck.CKU_USER, pin)
      logins.set(this.label, { pin, refusal: null })
    } catch (error) {
      const ckr = ckrOf(error)
      if (ckr === 'CKR_USER_ALREADY_LOGGED_IN') {
        this.#joinLogin(pin)
        return
      }
      const refusal = failureOf(error, this.where, 'the login')
      if (PIN_REFUSED.test(ckr ?? '')) logins.set(this.label, { pin, refusal })
      throw refusal
    }
  }

  /** The module lets the whole process in, whatever the PIN; who brings another one stays out. */
  #joinLogin(pin: string): void {
    const last = this.module.logins.get(this.label)
    if (last === undefined || last.refusal !== null || last.pin === pin) return
    throw new SealError(
      'SEAL_KMS_DENIED',
      `this process is logged in to ${this.where} with another PIN; mend kms.pkcs11.pin or pinFile`,
    )
  }

  #pin(): string {
    const { pin, pinFile } = this.#options
    if (pinFile === undefined) {
      if (pin !== undefined) return pin
      throw new SealError('SEAL_KMS_DENIED', 'set kms.pkcs11.pinFile or kms.pkcs11.pin')
    }
    try {
      return readFileSync(pinFile, 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw new SealError(
        'SEAL_KMS_DENIED',
        `kms.pkcs11.pinFile ${pinFile} cannot be read (${code})`,
      )
    }
  }

  #end(session: Handle): void {
    try {
      this.module.api.C_CloseSession(session)
    } catch {
      // It was gone before.
    }
  }
}

/** Labels are padded to 32 bytes: with spaces as PKCS#11 has it, with zeros by some. */
function labelOf({ label }: { readonly label: string }): string {
  return label.replace(/[\0 ]+$/, '')
}
