import { randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto'
import ck, { type Handle, type Template } from 'pkcs11js'
import { WRAP_IV_BYTES, WRAP_TAG_BYTES } from '../../../crypto/key-wrap.ts'
import { SealError } from '../../../errors.ts'
import type { GeneratedDataKey, WrappedKey } from '../../../keys/kms.ts'
import { DEK_BYTES } from '../../../limits.ts'
import { decodeWrap, encodeWrap, notTheWrap, VERSION_BYTES_MAX } from '../versioned-wrap.ts'
import { ckrOf, tellsWrongTag, unavailable } from './failure.ts'
import type { Pkcs11Session, Pkcs11Token } from './token.ts'

/** One version of a KEK in a token. */
interface Kek {
  readonly handle: Handle
  /** CKA_ID. */
  readonly version: Buffer
}

const FOUND_AT_ONCE = 32
/** More than any module answers to 32 bytes: one that adds its IV to them is told by the length. */
const OUTPUT_BYTES = 128

/**
 * The KEKs of a token: AES-256 secret keys that share a CKA_LABEL, and whose CKA_ID, a big-endian
 * number, is the version. The greatest wraps. Keys are looked up in every call, so that a version
 * made by another process is used at once. Calls block until the HSM answers.
 */
export class Pkcs11Keks {
  readonly #token: Pkcs11Token

  constructor(token: Pkcs11Token) {
    this.#token = token
  }

  /**
   * Makes and wraps a data key: random bytes of the HSM combined with those of the host by XOR
   * (NIST SP 800-133r2, 6.3), so that one sound generator is enough.
   */
  generate(kekId: string, aad: Buffer): GeneratedDataKey {
    const label = this.#labelOf(kekId)
    return this.#token.use(`a data key under ${kekId}`, (session) => {
      const kek = this.#newest(session, label)
      const plaintext = randomFillSync(new Uint8Array(DEK_BYTES))
      const mask = Buffer.alloc(DEK_BYTES)
      try {
        this.#token.module.api.C_GenerateRandom(session.handle, mask)
        for (const [i, byte] of mask.entries()) plaintext[i] = (plaintext[i] as number) ^ byte
        return { plaintext, ...this.#wrap(session, label, kek, plaintext, aad) }
      } catch (error) {
        plaintext.fill(0)
        throw error
      } finally {
        mask.fill(0)
      }
    })
  }

  /** The data key, in memory of its own. */
  unwrap(kekId: string, wrapped: Uint8Array, aad: Buffer): Uint8Array {
    const label = this.#labelOf(kekId)
    const { version, sealed } = decodeWrap(kekId, wrapped)
    return this.#token.use(`unwrapping under ${kekId}`, (session) => {
      const kek = this.#ofVersion(session, label, Buffer.from(version))
      try {
        const plaintext = this.#open(session, kek, sealed, aad)
        if (plaintext.length === DEK_BYTES) return plaintext
        plaintext.fill(0)
        throw notTheWrap(kekId)
      } catch (error) {
        const told = tellsWrongTag(error)
        if (told === 'yes' || (told === 'perhaps' && this.#works(session, kek))) {
          throw notTheWrap(kekId)
        }
        throw error
      }
    })
  }

  /** The data key passes through the memory of this thread. */
  rewrap(kekId: string, wrapped: Uint8Array, toKekId: string, aad: Buffer): WrappedKey {
    const plaintext = this.unwrap(kekId, wrapped, aad)
    try {
      const label = this.#labelOf(toKekId)
      return this.#token.use(`rewrapping to ${toKekId}`, (session) =>
        this.#wrap(session, label, this.#newest(session, label), plaintext, aad),
      )
    } finally {
      plaintext.fill(0)
    }
  }

  /** A bare label, or `pkcs11/TOKEN/LABEL` of this token. */
  #labelOf(kekId: string): string {
    const own = this.#nameOf('')
    if (kekId.startsWith(own)) return kekId.slice(own.length)
    if (!kekId.includes('/')) return kekId
    throw new SealError(
      'SEAL_KEK_DESTROYED',
      `${kekId} is no key of ${this.#token.where}; mend kms.keyId or kms.pkcs11.tokenLabel`,
    )
  }

  #nameOf(label: string): string {
    return `pkcs11/${this.#token.label}/${label}`
  }

  #newest(session: Pkcs11Session, label: string): Kek {
    const keks = this.#find(session, label)
    if (keks.length === 0) throw this.#missing(session, `key ${label}`)
    const isOdd = ({ version }: Kek) => version.length === 0 || version.length > VERSION_BYTES_MAX
    if (keks.some(isOdd)) {
      throw this.#refused(`a key labelled ${label} has no CKA_ID of 1 to 32 bytes as its version`)
    }
    const [newest, second] = keks.toSorted((a, b) => compareNumbers(b.version, a.version))
    if (second !== undefined && compareNumbers(newest?.version, second.version) === 0) {
      throw this.#refused(
        `two keys labelled ${label} have the CKA_ID ${second.version.toString('hex')}`,
      )
    }
    return this.#checked(session, label, newest as Kek)
  }

  #ofVersion(session: Pkcs11Session, label: string, version: Buffer): Kek {
    const id = version.toString('hex')
    const [kek, second] = this.#find(session, label, version)
    if (kek === undefined) throw this.#missing(session, `version ${id} of the key ${label}`)
    if (second !== undefined)
      throw this.#refused(`two keys labelled ${label} have the CKA_ID ${id}`)
    return this.#checked(session, label, kek)
  }

  #find({ handle }: Pkcs11Session, label: string, version?: Buffer): Kek[] {
    const { api } = this.#token.module
    const template: Template = [
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
      { type: ck.CKA_LABEL, value: label },
      ...(version === undefined ? [] : [{ type: ck.CKA_ID, value: version }]),
    ]
    const found: Handle[] = []
    api.C_FindObjectsInit(handle, template)
    try {
      for (let count = -1; count !== found.length; ) {
        count = found.length
        found.push(...api.C_FindObjects(handle, FOUND_AT_ONCE))
      }
    } finally {
      api.C_FindObjectsFinal(handle)
    }
    return found.map((key) => {
      const [id] = api.C_GetAttributeValue(handle, key, [{ type: ck.CKA_ID }])
      return { handle: key, version: Buffer.from(id?.value as Buffer) }
    })
  }

  /** A key that can be taken out of the HSM, or is shorter than its DEKs, is none to rely on. */
  #checked({ handle }: Pkcs11Session, label: string, kek: Kek): Kek {
    const { api } = this.#token.module
    const types = [ck.CKA_EXTRACTABLE, ck.CKA_SENSITIVE, ck.CKA_VALUE_LEN]
    const values = api
      .C_GetAttributeValue(
        handle,
        kek.handle,
        types.map((type) => ({ type })),
      )
      .map(({ value }) => (value as Buffer)[0])
    const [isExtractable, isSensitive, bytes] = values
    if (isExtractable === 0 && isSensitive === 1 && bytes === DEK_BYTES) return kek
    const name = `${label} (CKA_ID ${kek.version.toString('hex')})`
    throw this.#refused(
      `the key ${name} must be of 32 bytes, with CKA_SENSITIVE true and CKA_EXTRACTABLE false`,
    )
  }

  /** Wraps, and unwraps at once: a wrap that does not open must show before anything depends on it. */
  #wrap(
    session: Pkcs11Session,
    label: string,
    kek: Kek,
    plaintext: Uint8Array,
    aad: Buffer,
  ): WrappedKey {
    const { api } = this.#token.module
    const iv = randomBytes(WRAP_IV_BYTES)
    api.C_EncryptInit(session.handle, this.#gcm(iv, aad), kek.handle)
    const { buffer, byteOffset, length } = plaintext
    const output = Buffer.alloc(OUTPUT_BYTES)
    const body = api.C_Encrypt(session.handle, Buffer.from(buffer, byteOffset, length), output)
    // The IV as it is now: some HSMs choose their own and write it over the one they were given.
    const sealed = Buffer.concat([iv, body])
    if (
      body.length !== DEK_BYTES + WRAP_TAG_BYTES ||
      !this.#opensTo(session, kek, sealed, aad, plaintext)
    ) {
      throw this.#refused(
        'what it wraps does not unwrap: its CKM_AES_GCM must take the IV of the caller, or write its own in the place of that, and add a tag of 16 bytes',
      )
    }
    const { version } = kek
    return {
      wrapped: encodeWrap({ version, sealed }),
      kekId: this.#nameOf(label),
      kekVersion: version.toString('hex'),
    }
  }

  #opensTo(
    session: Pkcs11Session,
    kek: Kek,
    sealed: Buffer,
    aad: Buffer,
    plaintext: Uint8Array,
  ): boolean {
    try {
      const opened = this.#open(session, kek, sealed, aad)
      const isSame = opened.length === plaintext.length && timingSafeEqual(opened, plaintext)
      opened.fill(0)
      return isSame
    } catch (error) {
      if (tellsWrongTag(error) === 'no') throw error
      return false
    }
  }

  /** Throws what the module throws. */
  #open({ handle }: Pkcs11Session, kek: Kek, sealed: Uint8Array, aad: Buffer): Uint8Array {
    const { api } = this.#token.module
    const iv = Buffer.from(sealed.subarray(0, WRAP_IV_BYTES))
    const body = Buffer.from(sealed.subarray(WRAP_IV_BYTES))
    const output = Buffer.alloc(OUTPUT_BYTES)
    try {
      api.C_DecryptInit(handle, this.#gcm(iv, aad), kek.handle)
      return new Uint8Array(api.C_Decrypt(handle, body, output))
    } finally {
      output.fill(0)
    }
  }

  /** Whether the HSM can still wrap and unwrap, which tells an altered wrap from a broken HSM. */
  #works(session: Pkcs11Session, kek: Kek): boolean {
    const probe = randomBytes(DEK_BYTES)
    try {
      this.#wrap(session, '', kek, probe, Buffer.from('probe'))
      return true
    } catch (error) {
      // An older version may be left with the right to unwrap alone. It answers, so it works.
      return ckrOf(error) === 'CKR_KEY_FUNCTION_NOT_PERMITTED'
    }
  }

  #gcm(iv: Buffer, aad: Buffer) {
    return {
      mechanism: ck.CKM_AES_GCM,
      parameter: {
        type: ck.CK_PARAMS_AES_GCM_v240,
        iv,
        ivBits: iv.length * 8,
        aad,
        tagBits: WRAP_TAG_BYTES * 8,
      },
    }
  }

  #missing(session: Pkcs11Session, what: string): SealError {
    const { where } = this.#token
    if (!this.#token.isPresent(session)) return unavailable(`${where} is away, or logged out`)
    return new SealError(
      'SEAL_KEK_DESTROYED',
      `there is no AES ${what} in ${where}; mend kms.keyId or bring the key back`,
    )
  }

  #refused(reason: string): SealError {
    return new SealError('SEAL_KMS_REFUSED', `${this.#token.where}: ${reason}`)
  }
}

/** Big-endian numbers of any length. */
function compareNumbers(a: Uint8Array = new Uint8Array(0), b: Uint8Array): number {
  const [left, right] = [a, b].map((bytes) => BigInt(`0x0${Buffer.from(bytes).toString('hex')}`))
  return left === right ? 0 : (left as bigint) < (right as bigint) ? -1 : 1
}
