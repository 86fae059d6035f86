import pkcs11js from 'pkcs11js'

/**
 * What an administrator does to a token, in a process of its own as with real tools: run with the
 * module and a {@link SoftHsmTask} as JSON.
 */

/** A key as it is made or found. */
export interface SoftHsmKey {
  readonly token: string
  readonly pin: string
  readonly label: string
  /** CKA_ID in hex. */
  readonly id: string
}

/** One thing to do. Attributes are CKA names with booleans or numbers. */
export type SoftHsmTask =
  | { readonly do: 'init-token'; readonly label: string; readonly pin: string }
  | ({ readonly do: 'make-key' } & SoftHsmKey & {
        readonly attributes: Attributes
        /** Its bytes in hex; random where there are none. */
        readonly value?: string
      })
  | ({ readonly do: 'set' } & SoftHsmKey & { readonly attributes: Attributes })
  | ({ readonly do: 'destroy' } & SoftHsmKey)
  /** Writes whether the last user PIN that the token was given was wrong, as JSON. */
  | { readonly do: 'saw-wrong-pin'; readonly token: string }

type Attributes = Readonly<Record<string, boolean | number>>

const ck = pkcs11js
const api = new ck.PKCS11()

function slotOf(label: string) {
  const slot = api
    .C_GetSlotList(true)
    .find((candidate) => api.C_GetTokenInfo(candidate).label.trim() === label)
  if (slot === undefined) throw new Error(`no token ${label}`)
  return slot
}

function initToken(label: string, pin: string): void {
  // SoftHSM keeps one slot that is free, the last.
  const free = api.C_GetSlotList(false).at(-1) as Buffer
  api.C_InitToken(free, 'officer', label.padEnd(32))
  const session = openSession(label)
  api.C_Login(session, ck.CKU_SO, 'officer')
  api.C_InitPIN(session, pin)
}

function openSession(label: string) {
  return api.C_OpenSession(slotOf(label), ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION)
}

function templateOf(attributes: Attributes) {
  const types = ck as unknown as Record<string, number>
  return Object.entries(attributes).map(([name, value]) => ({ type: types[name] as number, value }))
}

function changeKey(task: Exclude<SoftHsmTask, { do: 'init-token' | 'saw-wrong-pin' }>): void {
  const session = openSession(task.token)
  api.C_Login(session, ck.CKU_USER, task.pin)
  const identity = [
    { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
    { type: ck.CKA_LABEL, value: task.label },
    { type: ck.CKA_ID, value: Buffer.from(task.id, 'hex') },
  ]
  if (task.do === 'make-key') {
    const attributes = {
      CKA_TOKEN: true,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_ENCRYPT: true,
      CKA_DECRYPT: true,
      ...task.attributes,
    }
    const template = [...identity, ...templateOf(attributes)]
    if (task.value === undefined) {
      const length = templateOf({ CKA_VALUE_LEN: 32, ...task.attributes })
      const mechanism = { mechanism: ck.CKM_AES_KEY_GEN }
      api.C_GenerateKey(session, mechanism, [...template, ...length])
    } else {
      const type = { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES }
      const value = { type: ck.CKA_VALUE, value: Buffer.from(task.value, 'hex') }
      api.C_CreateObject(session, [...template, type, value])
    }
    return
  }
  api.C_FindObjectsInit(session, identity)
  const [key] = api.C_FindObjects(session, 1)
  api.C_FindObjectsFinal(session)
  if (key === undefined) throw new Error(`no key ${task.label} ${task.id}`)
  if (task.do === 'destroy') api.C_DestroyObject(session, key)
  else api.C_SetAttributeValue(session, key, templateOf(task.attributes))
}

const [module = '', json = ''] = process.argv.slice(2)
const task = JSON.parse(json) as SoftHsmTask
api.load(module)
api.C_Initialize()
if (task.do === 'init-token') initToken(task.label, task.pin)
else if (task.do === 'saw-wrong-pin') {
  const { flags } = api.C_GetTokenInfo(slotOf(task.token))
  process.stdout.write(JSON.stringify((flags & ck.CKF_USER_PIN_COUNT_LOW) !== 0))
} else changeKey(task)
api.C_Finalize()
