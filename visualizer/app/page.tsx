// SPDX-License-Identifier: MIT
import { App } from '@/components/App';

export default function Page() {
  return <App />;
}
