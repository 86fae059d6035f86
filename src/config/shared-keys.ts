import { durationMs, flag, optional, text, withDefault } from './leaves.ts'

/** Keys that several services have in common. */

/** One second and one minute, for bounds and defaults. */
export const SECOND_MS = 1000
export const MINUTE_MS = 60 * SECOND_MS

/** How long a service may take over one request. */
export const requestTimeoutMs = (defaultMs: number) =>
  withDefault(
    durationMs({
      about: 'How long one request may take before it counts as failed.',
      min: SECOND_MS,
      max: 10 * MINUTE_MS,
    }),
    defaultMs,
  )

/** Whom TLS trusts. */
export const caFile = optional(
  text({ about: 'PEM file with the authorities that sign the server certificate.' }),
  "the machine's own authorities",
  '/etc/sealstream/ca.pem',
)

/** Whether there is TLS. */
export const tlsEnabled = withDefault(flag({ about: 'Whether to connect with TLS.' }), false)
