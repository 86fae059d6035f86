import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import pkcs11js, { type Mechanism, type Template } from 'pkcs11js'
import type { Cryptoki } from '../../src/adapters/kms/pkcs11/module.ts'

const TAG_BYTES = 16

interface Gcm {
  readonly iv: Buffer
  readonly aad: Buffer
}

const handleOf = (number: number) => Buffer.from([number])

/** What of an HSM is not as SoftHSM has it. */
export interface FakeHabits {
  /** Whether the IV is that of the caller, or its own: told in place of it, put behind, or untold. */
  iv: 'theirs' | 'told' | 'behind' | 'untold'
  /** Flags of the token beside those of every token. */
  tokenFlags: number
  /** Thrown by the function of that name, each time; `CKR_X:n` as the package has it. */
  failing: Map<keyof Cryptoki, string>
}

/** A token with one KEK, `orders` of version 01, in memory: for what SoftHSM cannot be brought to do. */
export class FakeCryptoki {
  readonly habits: FakeHabits = { iv: 'theirs', tokenFlags: 0, failing: new Map() }
  /** PINs that were given. */
  readonly pins: string[] = []
  sessions = 0
  readonly #key = randomBytes(32)
  #found = [handleOf(1)]
  #gcm: Gcm | null = null

  /** As the product calls it. */
  get api(): Cryptoki {
    return new Proxy(this as unknown as Cryptoki, {
      get: (target, name: keyof Cryptoki) => {
        const call = target[name] as (...args: unknown[]) => unknown
        return (...args: unknown[]) => {
          const failure = this.habits.failing.get(name)
          if (failure !== undefined) throw new Error(failure)
          return call.apply(this, args)
        }
      },
    })
  }

  C_Initialize(): void {}
  C_Finalize(): void {}
  C_GetSlotList = () => [handleOf(1)]
  C_GetTokenInfo = () => ({ label: 'fake'.padEnd(32), flags: this.habits.tokenFlags })
  C_OpenSession = () => handleOf(++this.sessions)
  C_CloseSession(): void {}
  C_GetSessionInfo = () => ({ state: 1 })
  C_Login = (_session: Buffer, _user: number, pin: string) => void this.pins.push(pin)

  C_FindObjectsInit(_session: Buffer, template: Template): void {
    const label = template.find(({ type }) => type === pkcs11js.CKA_LABEL)?.value
    this.#found = label === 'orders' ? [handleOf(1)] : []
  }
  C_FindObjects = () => this.#found.splice(0)
  C_FindObjectsFinal(): void {}

  C_GetAttributeValue(_session: Buffer, _key: Buffer, template: Template): Template {
    const values = new Map([
      [pkcs11js.CKA_ID, Buffer.from([1])],
      [pkcs11js.CKA_EXTRACTABLE, Buffer.from([0])],
      [pkcs11js.CKA_SENSITIVE, Buffer.from([1])],
      [pkcs11js.CKA_VALUE_LEN, Buffer.from([32, 0, 0, 0])],
    ])
    return template.map(({ type }) => ({ type, value: values.get(type) as Buffer }))
  }

  C_GenerateRandom = (_session: Buffer, bytes: Buffer) => bytes.fill(0)

  C_EncryptInit = (_session: Buffer, mechanism: Mechanism) => this.#begin(mechanism)
  C_DecryptInit = (_session: Buffer, mechanism: Mechanism) => this.#begin(mechanism)

  C_Encrypt(_session: Buffer, input: Buffer, output: Buffer): Buffer {
    const { iv, aad } = this.#gcm as Gcm
    const own = this.habits.iv === 'theirs' ? iv : randomBytes(iv.length)
    const cipher = createCipheriv('aes-256-gcm', this.#key, own)
    cipher.setAAD(aad)
    const body = [cipher.update(input), cipher.final(), cipher.getAuthTag()]
    if (this.habits.iv === 'told') own.copy(iv)
    if (this.habits.iv === 'behind') body.push(Buffer.from(own))
    const result = Buffer.concat(body)
    result.copy(output)
    return output.subarray(0, result.length)
  }

  C_Decrypt(_session: Buffer, input: Buffer, output: Buffer): Buffer {
    const { iv, aad } = this.#gcm as Gcm
    const decipher = createDecipheriv('aes-256-gcm', this.#key, iv, { authTagLength: TAG_BYTES })
    decipher.setAAD(aad)
    decipher.setAuthTag(input.subarray(-TAG_BYTES))
    const opened = decipher.update(input.subarray(0, -TAG_BYTES))
    try {
      decipher.final()
    } catch {
      throw new Error('CKR_ENCRYPTED_DATA_INVALID:64')
    }
    opened.copy(output)
    return output.subarray(0, opened.length)
  }

  #begin({ parameter }: Mechanism): void {
    this.#gcm = parameter as unknown as Gcm
  }
}
