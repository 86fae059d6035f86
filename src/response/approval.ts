import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { SealError } from '../errors.ts'
import { type Approval, type Incident, nextStepOf, stepOf } from './incident.ts'
import type { IncidentDetails, IncidentStep } from './incident-log.ts'

/** The steps that wait for a second person: what they do cannot be taken back. */
export const APPROVED_STEPS: readonly IncidentStep[] = ['retire']

/**
 * Who may approve, and their public keys (Ed25519, SPKI in base64). Empty: anybody but the declarer,
 * as the machine at hand says who that is.
 */
export type Approvers = ReadonlyMap<string, string>

/** What somebody says who approves. */
export interface ApprovalAsked {
  readonly step: IncidentStep
  readonly by: string
  /** Ed25519 private key as PEM; null to approve without a signature. */
  readonly privateKeyPem: string | null
}

/** What is signed: one incident, one step of it, what that is about, and who says so. */
export function approvalText({ declaration }: Incident, step: IncidentStep, by: string): string {
  const { incidentId, kekId, kekVersion, declaredAtMs } = declaration
  return JSON.stringify([
    ...['sealstream approval v1', incidentId, declaredAtMs, step, kekId, kekVersion, by],
  ])
}

/**
 * The details of an approval, to be appended. Throws SEAL_INPUT_INVALID when the step does not wait
 * for one, when the person is the declarer or none who may approve, or the key is not theirs.
 */
export function approvalDetails(
  incident: Incident,
  { step, by, privateKeyPem }: ApprovalAsked,
  approvers: Approvers,
): IncidentDetails {
  if (!APPROVED_STEPS.includes(step)) {
    throw refused(`step ${step} needs no approval; ${APPROVED_STEPS.join(', ')} does`)
  }
  if (incident.isWithdrawn) throw refused('the incident was withdrawn')
  if (stepOf(incident, step).state === 'done') throw refused(`step ${step} is done already`)
  const next = nextStepOf(incident)
  if (next !== step) {
    throw refused(`there is nothing to approve yet: step ${next} comes before ${step}`)
  }
  const signature =
    privateKeyPem === null ? null : signed(approvalText(incident, step, by), privateKeyPem)
  const reason = refusalOf(incident, { step, by, signature }, approvers)
  if (reason !== null) throw refused(reason)
  return { by, signature }
}

/** The first approval of the step that holds; null when none does. */
export function approvalOf(
  incident: Incident,
  step: IncidentStep,
  approvers: Approvers,
): Approval | null {
  const ofStep = incident.approvals.filter((one) => one.step === step)
  return ofStep.find((one) => refusalOf(incident, one, approvers) === null) ?? null
}

/** Why an approval does not hold, in words; null when it does. */
export function refusalOf(
  incident: Incident,
  { step, by, signature }: Pick<Approval, 'step' | 'by' | 'signature'>,
  approvers: Approvers,
): string | null {
  if (personOf(by) === '') return 'an approval needs a name'
  if (personOf(by) === personOf(incident.declaration.by)) {
    return `${by} has declared the incident: a second person must approve`
  }
  if (approvers.size === 0) return null
  const publicKey = approvers.get(by)
  if (publicKey === undefined) return `${by} is none of incident.approvers`
  if (signature === null) return 'incident.approvers is set, so an approval must be signed: --key'
  const text = Buffer.from(approvalText(incident, step, by))
  const isSigned = verify(null, text, publicKeyOf(publicKey), Buffer.from(signature, 'base64'))
  return isSigned ? null : `the signature is not one by the key of ${by}`
}

/** The same person, however their machine is called: `Alice@ops-7` is `alice`. */
export function personOf(name: string): string {
  return name.trim().toLowerCase().split('@')[0] as string
}

/** Reads a public key as the configuration has it. Throws SEAL_CONFIG_INVALID. */
export function publicKeyOf(base64: string): KeyObject {
  try {
    const key = createPublicKey({
      ...{ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' },
    })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // The library's words may quote the key.
  }
  const message = 'incident.approvers: a public key must be Ed25519, SPKI in base64'
  throw new SealError('SEAL_CONFIG_INVALID', message)
}

function signed(text: string, pem: string): string {
  let key: KeyObject | null = null
  try {
    key = createPrivateKey(pem)
  } catch {
    // The library's words may quote the key.
  }
  if (key?.asymmetricKeyType !== 'ed25519') {
    throw refused('the key must be an Ed25519 private key in PEM, without a passphrase')
  }
  return sign(null, Buffer.from(text), key).toString('base64')
}

function refused(message: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', message)
}
