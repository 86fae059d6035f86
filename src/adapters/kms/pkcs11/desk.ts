import { type PlainError, toPlainError } from '../../../errors.ts'
import type { Pkcs11Answers, Pkcs11Call, Pkcs11Options } from './calls.ts'
import { Pkcs11Keks } from './keks.ts'
import type { Pkcs11Module } from './module.ts'
import { Pkcs11Token } from './token.ts'

interface Seat {
  readonly options: Pkcs11Options
  token: Pkcs11Token | null
}

/** An answer, and what of it is moved to the other thread. */
export type DeskAnswer = { readonly transfer: readonly ArrayBuffer[] } & (
  | { readonly ok: true; readonly value: Pkcs11Answers[keyof Pkcs11Answers] }
  | { readonly ok: false; readonly error: PlainError }
)

/** The users of one module, in the thread that holds it. The module is loaded with the first call. */
export class Pkcs11Desk {
  readonly #load: () => Pkcs11Module
  readonly #seats = new Map<number, Seat>()
  #module: Pkcs11Module | null = null

  constructor(load: () => Pkcs11Module) {
    this.#load = load
  }

  /** A seat that opens its session with its first call. */
  take(seat: number, options: Pkcs11Options): void {
    this.#seats.set(seat, { options, token: null })
  }

  /** Never throws. */
  answer(seat: number, call: Pkcs11Call): DeskAnswer {
    try {
      this.#module ??= this.#load()
      return answered(call, new Pkcs11Keks(this.#tokenOf(seat, this.#module)))
    } catch (error) {
      return { ok: false, error: toPlainError(error, 'SEAL_KMS_REFUSED'), transfer: [] }
    }
  }

  /** Ends the session of a seat. */
  leave(seat: number): void {
    this.#seats.get(seat)?.token?.close()
    this.#seats.delete(seat)
  }

  #tokenOf(seat: number, module: Pkcs11Module): Pkcs11Token {
    const held = this.#seats.get(seat)
    if (held === undefined) throw new Error('a seat that was left')
    held.token ??= new Pkcs11Token(module, held.options)
    return held.token
  }
}

/** Bytes go out in buffers of their own size: a pooled one would take its neighbours along. */
function answered(call: Pkcs11Call, keks: Pkcs11Keks): DeskAnswer {
  const aad = Buffer.from(call.aad)
  switch (call.name) {
    case 'generate': {
      const { plaintext, ...made } = keks.generate(call.kekId, aad)
      const value = { ...made, wrapped: new Uint8Array(made.wrapped), plaintext }
      return { ok: true, value, transfer: [plaintext.buffer as ArrayBuffer] }
    }
    case 'unwrap': {
      const value = keks.unwrap(call.kekId, call.wrapped, aad)
      return { ok: true, value, transfer: [value.buffer as ArrayBuffer] }
    }
    case 'rewrap': {
      const made = keks.rewrap(call.kekId, call.wrapped, call.toKekId, aad)
      return { ok: true, value: { ...made, wrapped: new Uint8Array(made.wrapped) }, transfer: [] }
    }
  }
}
