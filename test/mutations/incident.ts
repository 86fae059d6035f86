import { type Mutant, unit } from './mutant.ts'

const run = unit('response/run-incident')
const steps = unit('response/steps')

/** Guards of what an incident destroys, of who may let it, and of drills that touch their canary alone. */
export const incident: readonly Mutant[] = [
  {
    name: 'a key is retired without a second person',
    file: 'src/response/run-incident.ts',
    text: '  return approvalOf(incident, step, approvers) === null\n',
    replacement:
      '  return approvalOf(incident, step, approvers) === null && !incident.isApprovalWanted\n',
    tests: run,
  },
  {
    name: 'who declared an incident approves it',
    file: 'src/response/approval.ts',
    text: '  if (personOf(by) === personOf(incident.declaration.by)) {\n',
    replacement: '  if (by === incident.declaration.by && by === "") {\n',
    tests: unit('response/approval'),
  },
  {
    name: 'an approval holds without the signature that is asked for',
    file: 'src/response/approval.ts',
    text: '  return isSigned ? null : ',
    replacement: '  return isSigned || by !== "" ? null : ',
    tests: unit('response/approval'),
  },
  {
    name: 'a signature for one incident holds for another',
    file: 'src/response/approval.ts',
    text: "...['sealstream approval v1', incidentId, declaredAtMs, step,",
    replacement: "...['sealstream approval v1', step,",
    tests: unit('response/approval'),
  },
  {
    name: 'a key is destroyed on an old proof',
    file: 'src/response/run-incident.ts',
    text: "> PROOF_MS_MAX ? 'prove' : step\n",
    replacement: '> PROOF_MS_MAX ? step : step\n',
    tests: run,
  },
  {
    name: 'a process that was taken for dead goes on writing',
    file: 'src/response/incident-journal.ts',
    text: '      this.#refuseIfTaken(this.#events.slice(known))\n',
    replacement: '      if (known < 0) this.#refuseIfTaken(this.#events.slice(known))\n',
    tests: run,
  },
  {
    name: 'a proof that failed is not followed by another rewrap',
    file: 'src/response/incident.ts',
    text: "  if (step !== 'prove' || kind !== 'step-failed') return\n",
    replacement: "  if (step === 'prove' || kind !== 'step-failed') return\n",
    tests: run,
  },
  {
    name: 'objects that were only rewrapped pass for clean',
    file: 'src/response/prove.ts',
    text: '  if (found.deks + found.objects + opened === 0) return',
    replacement: '  if (found.deks + found.objects === 0) return',
    tests: steps,
  },
  {
    name: 'a KMS is believed that it has switched a key off',
    file: 'src/response/retire.ts',
    text: '  if (kekVersion === null && refusedWith === null) {\n',
    replacement: '  if (kekVersion === "" && refusedWith === null) {\n',
    tests: steps,
  },
  {
    name: 'missing rights pass for a KEK that opens nothing',
    file: 'src/response/opened-by.ts',
    text: "  'SEAL_OBJECT_MISSING',\n] as const",
    replacement: "  'SEAL_OBJECT_MISSING',\n  'SEAL_KMS_DENIED',\n] as const",
    tests: steps,
  },
  {
    name: 'containment is done while the old KEK is in use',
    file: 'src/response/contain.ts',
    text: '  return [...inForce, ...inUse]\n',
    replacement: '  return inUse.length < 0 ? inUse : inForce\n',
    tests: unit('response/contain'),
  },
  {
    name: 'a retired KEK comes back into force by an order',
    file: 'src/keys/give-kek-order.ts',
    text: '    refuseRetired(retired, { kekId, kekVersion: null })\n',
    replacement: '',
    tests: unit('response/contain'),
  },
  {
    name: 'an encryptor starts under a retired KEK',
    file: 'src/keys/kek-follower.ts',
    text: '    this.#retired = await log.retired()\n    const checked',
    replacement: '    const checked',
    tests: unit('keys/kek-follower'),
  },
  {
    name: 'a drill moves what shares a KEK with the canary',
    file: 'src/response/canary.ts',
    text: '      if (dek.keyDomain === keyDomain) continue\n',
    replacement: '      if (dek.keyDomain !== "") continue\n',
    tests: unit('response/drill'),
  },
  {
    name: 'a drill passes though a reading failed',
    file: 'src/response/drill.ts',
    text: '  if (failed + wrong === 0) return null\n',
    replacement: '  if (wrong === 0) return null\n',
    tests: unit('response/drill'),
  },
  {
    name: 'a template says nothing where a name is unknown',
    file: 'src/response/template.ts',
    text: '  if (unknown.length > 0) {\n',
    replacement: '  if (unknown.length > 99) {\n',
    tests: unit('response/template'),
  },
  {
    name: 'a webhook follows whoever redirects it',
    file: 'src/adapters/http/webhook.ts',
    text: "redirect: 'error'",
    replacement: "redirect: 'follow'",
    tests: unit('adapters/webhook'),
  },
]
