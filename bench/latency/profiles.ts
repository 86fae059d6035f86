/** Settings under a name: overrides of the configuration that belong together. */
export const PROFILES = {
  /** Everything as it comes. */
  default: [],
  /**
   * References soon, at the price of requests: one lane, so that each interval makes one segment and one
   * transaction and not four, fetches that hardly wait for more, and a reference a part.
   */
  'low-latency': [
    'segment.ageMs=25ms',
    'kafka.lanes=1',
    'kafka.fetchWaitMs=10ms',
    'kafka.fetchBytesMin=256KiB',
    'kafka.referencePer=part',
    'mapping.mode=runs',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** The name of a profile. */
export type ProfileName = keyof typeof PROFILES
