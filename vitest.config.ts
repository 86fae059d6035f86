import { defineConfig } from 'vitest/config'

const onServices = {
  globalSetup: ['test/support/global-setup.ts'],
  // Every file loads the services; one at a time keeps their timing honest on two cores.
  fileParallelism: false,
}

/**
 * Seven projects: `unit` and `simulation` need nothing but Node; `vectors` also needs Python and Go,
 * to hold the product against others; `integration` runs against real services that its global
 * set-up starts in a folder and on ports of its own, so that two runs can live side by side; `incident`
 * is the same for sweeps, rewraps, rebuilds and readers, and runs by `npm run test:incident`; `package`
 * installs what would be published in an empty folder, and runs by `npm run test:package`; `faults` breaks
 * such services in every way that docs/faults.md lists, takes longer, and runs by `npm run test:faults`.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,cli,tidy}/**/*.test.ts', 'test/hostile/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'vectors',
          include: ['test/vectors/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/hostile/services/*.test.ts'],
          ...onServices,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'incident',
          include: ['test/incident/**/*.test.ts'],
          ...onServices,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          ...onServices,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // Trials of failpoints mostly wait for the sessions of the dead.
          maxConcurrency: 6,
        },
      },
    ],
  },
})
