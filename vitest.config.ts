import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'lab/**/*.test.ts', 'test/**/*.test.ts', 'web/**/*.test.ts'],
    testTimeout: 240_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // What commands remember belongs to the test run, not to the machine.
    env: { SYNSCOPE_STATE_DIR: join(import.meta.dirname, '.cache', 'test-state') },
  },
});

export default config;
