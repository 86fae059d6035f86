import { expect } from 'vitest'
import type { Verification } from '../../src/verify/verify.ts'
import { runCommand } from './encryptor-process.ts'
import type { SealingPlace } from './sealing-place.ts'

/** A verification by the command line, and how that ended. */
export interface VerifyAnswer extends Verification {
  readonly code: number | null
}

/** Runs `sealstream verify --json` over a place; fails when it cannot tell. */
export async function verifyPlace(
  place: SealingPlace,
  { config = place.config(), args = [] }: { config?: string; args?: readonly string[] } = {},
): Promise<VerifyAnswer> {
  const { code, stdout, stderr } = await runCommand([
    'verify',
    '--json',
    '--config',
    config,
    ...args,
  ])
  expect({ code, stderr }).toEqual({ code: expect.toBeOneOf([0, 5]), stderr: '' })
  return { code, ...(JSON.parse(stdout) as Verification) }
}

/**
 * The end of a fault test: source, references, bucket and mapping of the place agree. Encryptors may
 * run on. Returns the counts, for tests that know how many messages there must be.
 */
export async function expectVerified(
  place: SealingPlace,
  options: { config?: string; args?: readonly string[] } = {},
): Promise<Verification['counts']> {
  const { code, findings, isComplete, counts } = await verifyPlace(place, options)
  expect({ code, findings, isComplete }).toEqual({ code: 0, findings: [], isComplete: true })
  return counts
}
