import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Approvers,
  approvalDetails,
  approvalOf,
  personOf,
  publicKeyOf,
} from '../../../src/response/approval.ts'
import { type Incident, incidentOf } from '../../../src/response/incident.ts'
import { incidentEvent } from '../../contracts/incident-log.contract.ts'
import { IncidentPlace } from '../../support/incident-place.ts'

const nobody: Approvers = new Map()
let place: IncidentPlace
let id: string

beforeEach(async () => {
  place = new IncidentPlace()
  id = await place.declare({ by: 'alice@ops-7' })
  await place.run(id)
})

async function incident(): Promise<Incident> {
  return incidentOf(id, await place.log.events(id))
}

async function asked(by: string, privateKeyPem: string | null = null, approvers = nobody) {
  return approvalDetails(await incident(), { step: 'retire', by, privateKeyPem }, approvers)
}

/** The incident with this approval on record, whoever put it there. */
async function withApproval(details: Readonly<Record<string, string | null>>): Promise<Incident> {
  const events = await place.log.events(id)
  const event = incidentEvent({ incidentId: id, kind: 'approved', step: 'retire', details })
  return incidentOf(id, [...events, event])
}

function person(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    approvers: new Map([
      [name, publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ]),
  }
}

describe('an approval', () => {
  it('is given by anybody but the declarer, however they write themselves', async () => {
    expect(await asked('bob')).toEqual({ by: 'bob', signature: null })
    for (const name of ['alice', 'Alice', ' ALICE@ops-7 ', 'alice@elsewhere']) {
      await expect(asked(name)).rejects.toThrow('a second person must approve')
    }
    await expect(asked('@ops-7')).rejects.toThrow('needs a name')
    expect(personOf('Bob@host')).toBe('bob')
  })

  it('is not taken from the record when the declarer has put it there', async () => {
    const own = await withApproval({ by: 'alice', signature: null })
    expect(approvalOf(own, 'retire', nobody)).toBeNull()
    const other = await withApproval({ by: 'bob', signature: null })
    expect(approvalOf(other, 'retire', nobody)).toMatchObject({ by: 'bob' })
  })

  it('is for steps that wait for one, once all before it is done', async () => {
    const early = new IncidentPlace()
    const earlyId = await early.declare()
    const begun = incidentOf(earlyId, await early.log.events(earlyId))
    const of = { step: 'retire', by: 'bob', privateKeyPem: null } as const
    expect(() => approvalDetails(begun, of, nobody)).toThrow('step contain comes before retire')
    const whole = await incident()
    expect(() => approvalDetails(whole, { ...of, step: 'prove' }, nobody)).toThrow(
      'needs no approval',
    )
  })

  it('must be signed by the key of the approver where approvers are configured', async () => {
    const bob = person('bob')
    const mallory = person('mallory')
    const signed = await asked('bob', bob.pem, bob.approvers)
    expect(approvalOf(await withApproval(signed as never), 'retire', bob.approvers)).not.toBeNull()
    await expect(asked('bob', null, bob.approvers)).rejects.toThrow('must be signed')
    await expect(asked('bob', mallory.pem, bob.approvers)).rejects.toThrow(
      'not one by the key of bob',
    )
    await expect(asked('carol', bob.pem, bob.approvers)).rejects.toThrow(
      'none of incident.approvers',
    )
    await expect(asked('bob', 'no key', bob.approvers)).rejects.toThrow('Ed25519 private key')
    const unsigned = await withApproval({ by: 'bob', signature: null })
    expect(approvalOf(unsigned, 'retire', bob.approvers)).toBeNull()
  })

  it('that was signed for another incident does not hold', async () => {
    const bob = person('bob')
    const signed = await asked('bob', bob.pem, bob.approvers)
    id = await place.declare({ by: 'alice' })
    await place.run(id)
    expect(approvalOf(await withApproval(signed as never), 'retire', bob.approvers)).toBeNull()
  })

  it('knows a key of another kind', () => {
    const { publicKey } = generateKeyPairSync('x25519')
    const der = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    expect(() => publicKeyOf(der)).toThrow('must be Ed25519')
    expect(() => publicKeyOf('nothing')).toThrow('must be Ed25519')
  })
})
