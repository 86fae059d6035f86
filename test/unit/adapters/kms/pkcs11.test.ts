import pkcs11js from 'pkcs11js'
import { beforeEach, describe, expect, it } from 'vitest'
import { Pkcs11Keks } from '../../../../src/adapters/kms/pkcs11/keks.ts'
import { Pkcs11Module } from '../../../../src/adapters/kms/pkcs11/module.ts'
import { Pkcs11Token } from '../../../../src/adapters/kms/pkcs11/token.ts'
import type { SealError } from '../../../../src/errors.ts'
import { FakeCryptoki, type FakeHabits } from '../../../support/fake-cryptoki.ts'

const AAD = Buffer.from('[["dek","d"]]')
let hsm: FakeCryptoki
let module: Pkcs11Module
let keks: Pkcs11Keks

const keksWith = (pin: string) =>
  new Pkcs11Keks(new Pkcs11Token(module, { module: 'fake.so', tokenLabel: 'fake', pin }))

beforeEach(() => {
  hsm = new FakeCryptoki()
  module = new Pkcs11Module('fake.so', hsm.api)
  keks = keksWith('1234')
})

function failureOf(call: () => unknown): SealError {
  try {
    call()
  } catch (error) {
    return error as SealError
  }
  throw new Error('it did not fail')
}

describe('an HSM that chooses the IV', () => {
  it.each<FakeHabits['iv']>(['theirs', 'told'])('serves when the IV is %s', (iv) => {
    hsm.habits.iv = iv
    const { wrapped, plaintext } = keks.generate('orders', AAD)
    expect(keks.unwrap('orders', wrapped, AAD)).toEqual(plaintext)
  })

  it.each<FakeHabits['iv']>(['behind', 'untold'])('is refused when the IV is %s', (iv) => {
    hsm.habits.iv = iv
    expect(failureOf(() => keks.generate('orders', AAD))).toMatchObject({
      code: 'SEAL_KMS_REFUSED',
      message: expect.stringContaining('must take the IV of the caller'),
    })
  })
})

describe('the random bytes of a data key', () => {
  it('do not come from the HSM alone', () => {
    // The generator of the fake is broken: it gives zeros.
    const made = [keks.generate('orders', AAD), keks.generate('orders', AAD)]
    const keys = made.map(({ plaintext }) => Buffer.from(plaintext).toString('hex'))
    expect(new Set([...keys, '00'.repeat(32)]).size).toBe(3)
  })

  it('do not come from the host alone', () => {
    hsm.habits.failing.set('C_GenerateRandom', 'CKR_RANDOM_NO_RNG:289')
    expect(failureOf(() => keks.generate('orders', AAD)).code).toBe('SEAL_KMS_REFUSED')
  })
})

describe('the PIN', () => {
  it('is not given to a token that the next wrong one would lock', () => {
    hsm.habits.tokenFlags = pkcs11js.CKF_USER_PIN_FINAL_TRY
    expect(failureOf(() => keks.generate('orders', AAD))).toMatchObject({
      code: 'SEAL_KMS_DENIED',
      message: expect.stringContaining('one more wrong PIN would lock'),
    })
    expect(hsm.pins).toEqual([])
  })

  it.each(['CKR_PIN_INCORRECT:160', 'CKR_PIN_LEN_RANGE:162', 'CKR_PIN_LOCKED:164'])(
    'that was refused with %s is not given again, and another one is',
    (answer) => {
      const tried: string[] = []
      hsm.C_Login = (_session, _user, pin) => {
        tried.push(pin)
        if (pin === 'wrong') throw new Error(answer)
      }
      for (let tries = 0; tries < 3; tries++) {
        expect(failureOf(() => keksWith('wrong').generate('orders', AAD)).code).toBe(
          'SEAL_KMS_DENIED',
        )
      }
      keksWith('right').generate('orders', AAD)
      expect(tried).toEqual(['wrong', 'right'])
    },
  )
})

describe('what a module answers', () => {
  it.each<[string, string, boolean]>([
    ['CKR_DEVICE_ERROR:48', 'SEAL_KMS_UNAVAILABLE', true],
    ['CKR_DEVICE_REMOVED:50', 'SEAL_KMS_UNAVAILABLE', true],
    ['CKR_TOKEN_NOT_PRESENT:224', 'SEAL_KMS_UNAVAILABLE', true],
    ['CKR_SESSION_HANDLE_INVALID:179', 'SEAL_KMS_UNAVAILABLE', true],
    ['CKR_USER_NOT_LOGGED_IN:257', 'SEAL_KMS_UNAVAILABLE', true],
    ['CKR_VENDOR_DEFINED:2147483648', 'SEAL_KMS_UNAVAILABLE', true],
    ['something else', 'SEAL_KMS_UNAVAILABLE', true],
    ['CKR_KEY_FUNCTION_NOT_PERMITTED:104', 'SEAL_KEK_DISABLED', false],
    ['CKR_MECHANISM_INVALID:112', 'SEAL_KMS_REFUSED', false],
    ['CKR_MECHANISM_PARAM_INVALID:113', 'SEAL_KMS_REFUSED', false],
    ['CKR_ACTION_PROHIBITED:27', 'SEAL_KMS_DENIED', false],
  ])('to a wrap, %s, is %s, and a new session follows', (answer, code, retryable) => {
    keks.generate('orders', AAD)
    hsm.habits.failing.set('C_EncryptInit', answer)
    const failure = failureOf(() => keks.generate('orders', AAD))
    expect(failure).toMatchObject({ code, retryable })
    expect(failure.cause).toBeUndefined()
    expect(failure.message).toContain('the token fake')
    hsm.habits.failing.clear()
    keks.generate('orders', AAD)
    expect(hsm.sessions).toBe(2)
  })

  it('to an opening is no proof of tampering when the HSM cannot wrap either', () => {
    const { wrapped } = keks.generate('orders', AAD)
    hsm.habits.failing.set('C_Decrypt', 'CKR_GENERAL_ERROR:5')
    expect(failureOf(() => keks.unwrap('orders', wrapped, AAD))).toMatchObject({
      code: 'SEAL_KMS_UNAVAILABLE',
      retryable: true,
    })
  })

  it('that its keys are gone is not believed when the token is', () => {
    hsm.C_FindObjects = () => []
    expect(failureOf(() => keks.generate('orders', AAD)).code).toBe('SEAL_KEK_DESTROYED')
    hsm.C_GetSessionInfo = () => ({ state: 0 })
    expect(failureOf(() => keks.generate('orders', AAD)).code).toBe('SEAL_KMS_UNAVAILABLE')
  })
})

describe('a data key whose wrap fails', () => {
  it('is wiped, and so are the random bytes of the HSM', () => {
    const seen: Buffer[] = []
    hsm.C_GenerateRandom = (_session, bytes) => {
      seen.push(bytes)
      return bytes.fill(7)
    }
    hsm.C_Encrypt = (_session, input) => {
      seen.push(input)
      expect(input.every((byte) => byte === 0)).toBe(false)
      throw new Error('CKR_DEVICE_ERROR:48')
    }
    failureOf(() => keks.generate('orders', AAD))
    expect(seen.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true, true])
  })
})
