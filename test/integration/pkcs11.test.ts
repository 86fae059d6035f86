import { createDecipheriv, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pkcs11js from 'pkcs11js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Pkcs11Options } from '../../src/adapters/kms/pkcs11/calls.ts'
import { Pkcs11Kms } from '../../src/adapters/kms/pkcs11-kms.ts'
import type { Kms } from '../../src/keys/kms.ts'
import { kmsContract } from '../contracts/kms.contract.ts'
import { type KeyChanges, PIN, SoftHsm, TOKEN } from '../support/softhsm.ts'

const CONTEXT = { app: 'sealstream', dek: 'd' }
const UNAVAILABLE = { code: 'SEAL_KMS_UNAVAILABLE', retryable: true }
let hsm: SoftHsm
const open = new Set<Kms>()

beforeAll(async () => {
  hsm = await SoftHsm.create()
  for (const label of ['orders', 'payments']) hsm.makeKey(label, '01')
})

afterEach(async () => {
  for (const kms of open) await kms.close()
  open.clear()
})

afterAll(() => hsm?.remove())

function newKms(over: Partial<Pkcs11Options> = {}): Pkcs11Kms {
  const kms = new Pkcs11Kms({ module: hsm.module, tokenLabel: TOKEN, pin: PIN, ...over })
  open.add(kms)
  return kms
}

kmsContract('an HSM over PKCS#11', () => ({
  // Kept out of `open`: the suite closes it.
  kms: new Pkcs11Kms({ module: hsm.module, tokenLabel: TOKEN, pin: PIN }),
  kekId: 'orders',
  otherKekId: 'payments',
  fullName: new RegExp(`^pkcs11/${TOKEN}/(orders|payments)$`),
  unknownKekId: 'nobody',
  rotate: async () => hsm.makeKey('orders', '02'),
  tellsVersion: true,
  disable: async (kekId) =>
    hsm.setAttributes(kekId, '01', { CKA_ENCRYPT: false, CKA_DECRYPT: false }),
  denied: async () => newKms({ pin: 'wrong' }),
  away: async () => newKms({ tokenLabel: 'absent' }),
}))

describe('a KEK in an HSM', () => {
  const failure = (kms: Kms, kekId: string) =>
    kms.generateDataKey(kekId, CONTEXT).catch((error: unknown) => error)

  it('wraps as docs/kms.md says: AES-256-GCM, with the context in the AAD', async () => {
    const kek = randomBytes(32)
    hsm.makeKey('known', '0102', { value: kek.toString('hex') })
    const made = await newKms().generateDataKey('known', CONTEXT)
    const wrapped = Buffer.from(made.wrapped)
    expect(wrapped.subarray(0, 4).toString('hex')).toBe('01020102')
    const decipher = createDecipheriv('aes-256-gcm', kek, wrapped.subarray(4, 16))
    decipher.setAAD(Buffer.from('[["app","sealstream"],["dek","d"]]'))
    decipher.setAuthTag(wrapped.subarray(48))
    const opened = Buffer.concat([decipher.update(wrapped.subarray(16, 48)), decipher.final()])
    expect(opened.equals(made.plaintext)).toBe(true)
  })

  it('takes the version that is the greatest number, whatever the length', async () => {
    for (const id of ['0a', '0100', '09', '00ff']) hsm.makeKey('ordered', id)
    expect(await newKms().generateDataKey('ordered', CONTEXT)).toMatchObject({ kekVersion: '0100' })
  })

  it.each<[string, string, KeyChanges, RegExp]>([
    ['can be taken out', '01', { attributes: { CKA_EXTRACTABLE: true } }, /CKA_EXTRACTABLE false/],
    ['shows its bytes', '01', { attributes: { CKA_SENSITIVE: false } }, /CKA_SENSITIVE true/],
    ['is short', '01', { attributes: { CKA_VALUE_LEN: 16 } }, /of 32 bytes/],
    ['has no version', '', {}, /no CKA_ID/],
  ])('is refused when it %s', async (what, id, changes, reason) => {
    hsm.makeKey(what, id, changes)
    const refused = { code: 'SEAL_KMS_REFUSED', retryable: false }
    expect(await failure(newKms(), what)).toMatchObject({
      ...refused,
      message: expect.stringMatching(reason),
    })
  })

  it('is refused when a version is there twice', async () => {
    for (const id of ['01', '01']) hsm.makeKey('twice', id)
    const refused = { code: 'SEAL_KMS_REFUSED', message: expect.stringContaining('two keys') }
    expect(await failure(newKms(), 'twice')).toMatchObject(refused)
  })

  it('says which version is gone', async () => {
    hsm.makeKey('fading', '01')
    const kms = newKms()
    const { wrapped } = await kms.generateDataKey('fading', CONTEXT)
    hsm.makeKey('fading', '02')
    hsm.destroyKey('fading', '01')
    await expect(kms.unwrap('fading', wrapped, CONTEXT)).rejects.toMatchObject({
      code: 'SEAL_KEK_DESTROYED',
      message: expect.stringContaining('version 01 of the key fading'),
    })
  })

  it('still opens with a version that may only unwrap, and tells an altered wrap of it', async () => {
    hsm.makeKey('retired', '01')
    const kms = newKms()
    const { wrapped, plaintext } = await kms.generateDataKey('retired', CONTEXT)
    hsm.setAttributes('retired', '01', { CKA_ENCRYPT: false })
    expect(await failure(kms, 'retired')).toMatchObject({ code: 'SEAL_KEK_DISABLED' })
    hsm.makeKey('retired', '02')
    expect(await kms.unwrap('retired', wrapped, CONTEXT)).toEqual(plaintext)
    await expect(kms.unwrap('retired', wrapped, {})).rejects.toMatchObject({
      code: 'SEAL_KEY_TAMPERED',
    })
  })
})

describe('a token', () => {
  const makes = (kms: Kms) => kms.generateDataKey('kept', CONTEXT)

  beforeAll(() => hsm.makeKey('kept', '01'))

  it('is waited for while it is away, and used again once it is back', async () => {
    const kms = newKms()
    const { wrapped, plaintext } = await makes(kms)
    hsm.pullOut()
    for (let tries = 0; tries < 3; tries++) {
      await expect(makes(kms)).rejects.toMatchObject(UNAVAILABLE)
      await expect(kms.unwrap('kept', wrapped, CONTEXT)).rejects.toMatchObject(UNAVAILABLE)
    }
    hsm.putBack()
    expect(await kms.unwrap('kept', wrapped, CONTEXT)).toEqual(plaintext)
    await makes(kms)
  })

  it('is opened again after its sessions were closed', async () => {
    const kms = newKms()
    await makes(kms)
    const cryptoki = new pkcs11js.PKCS11()
    cryptoki.load(hsm.module)
    for (const slot of cryptoki.C_GetSlotList(true)) cryptoki.C_CloseAllSessions(slot)
    await expect(makes(kms)).rejects.toMatchObject(UNAVAILABLE)
    await makes(kms)
  })

  it('that came while the module ran is found', async () => {
    const kms = newKms({ tokenLabel: 'late' })
    await expect(makes(kms)).rejects.toMatchObject(UNAVAILABLE)
    hsm.initToken('late')
    hsm.makeKey('kept', '01', { token: 'late' })
    expect(await makes(kms)).toMatchObject({ kekId: 'pkcs11/late/kept' })
  })

  it('is refused when another has its label', async () => {
    for (const label of ['twin', 'twin']) hsm.initToken(label)
    await expect(makes(newKms({ tokenLabel: 'twin' }))).rejects.toMatchObject({
      code: 'SEAL_KMS_REFUSED',
      message: expect.stringContaining('two tokens'),
    })
  })

  it('does not serve the keys of another', async () => {
    await expect(newKms().generateDataKey('pkcs11/late/kept', CONTEXT)).rejects.toMatchObject({
      code: 'SEAL_KEK_DESTROYED',
      message: expect.stringContaining(`no key of the token ${TOKEN}`),
    })
  })
})

describe('the PIN', () => {
  const token = 'with pins'
  const pinFile = () => join(hsm.folder, 'pin')
  const denied = { code: 'SEAL_KMS_DENIED', retryable: false }
  const makes = (kms: Kms) => kms.generateDataKey('kept', CONTEXT)

  beforeAll(() => {
    hsm.initToken(token)
    hsm.makeKey('kept', '01', { token })
  })

  it('that is wrong is given to the token once, by whomever in this process', async () => {
    const wrong = { tokenLabel: token, pin: 'wrong' }
    await expect(makes(newKms(wrong))).rejects.toMatchObject(denied)
    expect(hsm.sawWrongPin(token)).toBe(true)
    // A right login elsewhere clears the token's count.
    hsm.makeKey('other', '01', { token })
    expect(hsm.sawWrongPin(token)).toBe(false)
    for (let tries = 0; tries < 3; tries++) {
      const kms = newKms(wrong)
      await expect(makes(kms)).rejects.toMatchObject(denied)
      await kms.close()
    }
    expect(hsm.sawWrongPin(token)).toBe(false)
  })

  it('is read from its file at the login, without its newline, so that a mended one serves', async () => {
    writeFileSync(pinFile(), 'wrong again\n')
    const kms = newKms({ tokenLabel: token, pin: 'not looked at', pinFile: pinFile() })
    await expect(makes(kms)).rejects.toMatchObject(denied)
    writeFileSync(pinFile(), `${PIN}\n`)
    await makes(kms)
  })

  it.each([
    [{ pin: undefined }, /set kms\.pkcs11\.pinFile/],
    [{ pinFile: '/nowhere/pin' }, /pinFile \/nowhere\/pin cannot be read \(ENOENT\)/],
  ])('that is not there is asked for: %j', async (over, message) => {
    const refused = { ...denied, message: expect.stringMatching(message) }
    await expect(makes(newKms({ tokenLabel: token, ...over }))).rejects.toMatchObject(refused)
  })

  it('is in no message', async () => {
    const failures = await Promise.all([
      makes(newKms({ pin: 'wrong-pin-7' })).catch((error) => error.message),
      makes(newKms({ tokenLabel: token, pin: 'wrong-pin-7' })).catch((error) => error.message),
    ])
    for (const message of failures) expect(message).not.toContain('wrong-pin-7')
  })
})

it('a module that is none is named', async () => {
  const nowhere = newKms({ module: '/nowhere/libhsm.so' })
  await expect(nowhere.generateDataKey('kept', CONTEXT)).rejects.toMatchObject({
    code: 'SEAL_KMS_REFUSED',
    message: expect.stringMatching(/\/nowhere\/libhsm\.so.*mend kms\.pkcs11\.module/),
  })
})
