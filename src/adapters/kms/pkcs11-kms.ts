// Used in the thread alone; loaded here as well, so that its absence shows before there is one.
import 'pkcs11js'
import type { GeneratedDataKey, Kms, KmsContext, WrappedKey } from '../../keys/kms.ts'
import { canonicalContext } from '../../keys/kms-context.ts'
import type { Pkcs11Options } from './pkcs11/calls.ts'
import { Pkcs11Seat } from './pkcs11/thread.ts'

/**
 * KEKs in an HSM, by way of its PKCS#11 module (Cryptoki 2.40). A KEK is the AES-256 secret keys of
 * one label, non-extractable; the version is the CKA_ID. Wraps with CKM_AES_GCM, bound to the
 * canonical context. Full names are `pkcs11/TOKEN/LABEL`. The module is called in a thread that all
 * users of it in this process share.
 */
export class Pkcs11Kms implements Kms {
  readonly #options: Pkcs11Options
  #seat: Pkcs11Seat | null = null

  constructor(options: Pkcs11Options) {
    this.#options = options
  }

  generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey> {
    return this.#seated().ask({ name: 'generate', kekId, aad: aadOf(context) })
  }

  unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    const aad = aadOf(context)
    return this.#seated().ask({ name: 'unwrap', kekId, wrapped: new Uint8Array(wrapped), aad })
  }

  rewrap(
    kekId: string,
    wrapped: Uint8Array,
    toKekId: string,
    context: KmsContext,
  ): Promise<WrappedKey> {
    const aad = aadOf(context)
    const copy = new Uint8Array(wrapped)
    return this.#seated().ask({ name: 'rewrap', kekId, wrapped: copy, toKekId, aad })
  }

  async close(): Promise<void> {
    this.#seat?.leave()
    this.#seat = null
  }

  #seated(): Pkcs11Seat {
    if (this.#seat === null || this.#seat.isGone) this.#seat = new Pkcs11Seat(this.#options)
    return this.#seat
  }
}

function aadOf(context: KmsContext): Uint8Array {
  return new Uint8Array(canonicalContext(context))
}
