import { describe, expect, it } from 'vitest'
import { kmsChoiceOf } from '../../../src/compose/service-options.ts'
import { parseTree, refusalOf } from './sample.ts'

const LOCAL = {
  'kms.provider': 'local',
  'kms.keyId': 'orders',
  'kms.local': { keyFile: 'keks.json' },
}
const HSM = {
  'kms.provider': 'pkcs11',
  'kms.keyId': 'orders',
  'kms.pkcs11': { module: '/usr/lib/hsm.so', tokenLabel: 'prod 1', pinFile: '/run/pin' },
}

describe('kms.provider local', () => {
  it('is taken with its key file, by the bare name or the full one', () => {
    for (const keyId of ['orders', 'local/orders']) {
      const { config } = parseTree({ ...LOCAL, 'kms.keyId': keyId })
      expect(kmsChoiceOf(config)).toEqual({
        provider: 'local',
        keyFile: 'keks.json',
        requestTimeoutMs: 10_000,
      })
    }
  })

  it('brings a warning that says what it is good for', () => {
    const { warnings } = parseTree(LOCAL)
    expect(warnings).toEqual([
      expect.stringMatching(/^kms\.provider: is local, whoever can read .*laptops and tests only$/),
    ])
  })

  it.each([
    [{ 'kms.local': undefined }, 'kms.local: is required beside provider: local'],
    [{ 'kms.local': {} }, 'kms.local.keyFile: is required'],
    [{ 'kms.keyId': 'pkcs11/t/orders' }, 'kms.keyId: must be the name of a key in kms.local'],
  ])('is refused: %j', (changes, problem) => {
    expect(refusalOf(() => parseTree({ ...LOCAL, ...changes }))).toContain(problem)
  })
})

describe('kms.provider pkcs11', () => {
  it('is taken with a PIN from a file or from the environment', () => {
    expect(kmsChoiceOf(parseTree(HSM).config)).toEqual({
      provider: 'pkcs11',
      module: '/usr/lib/hsm.so',
      tokenLabel: 'prod 1',
      pinFile: '/run/pin',
      requestTimeoutMs: 10_000,
    })
    const { pinFile: _pinFile, ...section } = HSM['kms.pkcs11']
    const { config } = parseTree(
      { ...HSM, 'kms.pkcs11': section },
      { SEALSTREAM_KMS_PKCS11_PIN: '0123' },
    )
    expect(kmsChoiceOf(config)).toMatchObject({ pin: '0123' })
    expect(parseTree(HSM).warnings).toEqual([])
  })

  it.each([
    [{ 'kms.pkcs11': undefined }, 'kms.pkcs11: is required beside provider: pkcs11'],
    [{ 'kms.pkcs11.pinFile': undefined }, 'kms.pkcs11.pinFile: or pin is required'],
    [{ 'kms.pkcs11.tokenLabel': 'a/b' }, 'kms.pkcs11.tokenLabel: must be up to 32'],
    [{ 'kms.pkcs11.tokenLabel': 'x'.repeat(33) }, 'kms.pkcs11.tokenLabel: must be up to 32'],
    [{ 'kms.pkcs11.tokenLabel': 'padded ' }, 'kms.pkcs11.tokenLabel: must be up to 32'],
    [{ 'kms.keyId': 'a/b/c' }, 'kms.keyId: must be the label of a secret key'],
    [
      { 'kms.pkcs11.tokenLabel': 'prod', 'kms.keyId': 'pkcs11/test/orders' },
      'kms.keyId: names another token than kms.pkcs11.tokenLabel',
    ],
    [
      { 'kms.pkcs11.tokenLabel': 'prod', 'kms.allowedKeyIds': ['pkcs11/test/orders'] },
      'kms.allowedKeyIds.0: names another token than kms.pkcs11.tokenLabel',
    ],
  ])('is refused: %j', (changes, problem) => {
    expect(refusalOf(() => parseTree(structuredClone({ ...HSM, ...changes })))).toContain(problem)
  })

  it('takes the full names of its own token', () => {
    const changes = { 'kms.pkcs11.tokenLabel': 'prod', 'kms.keyId': 'pkcs11/prod/orders' }
    expect(refusalOf(() => parseTree(structuredClone({ ...HSM, ...changes })))).toBe('')
  })
})
