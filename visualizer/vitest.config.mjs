// SPDX-License-Identifier: MIT
import { fileURLToPath } from 'node:url';

export default {
  resolve: { alias: { '@': fileURLToPath(new URL('.', import.meta.url)) } },
  test: { include: ['lib/**/*.test.ts', 'components/**/*.test.ts'], testTimeout: 30000 },
};
