import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/head.css';
import './styles/parts.css';
import './styles/views.css';
import { startLive } from './api/live.ts';
import { App } from './app.tsx';
import { startRouter } from './lib/router.ts';
import { startShortcuts } from './lib/shortcuts.ts';
import { startTheme } from './lib/theme.ts';
import { startClock } from './lib/time.ts';

startTheme();
startRouter();
startShortcuts();
startClock();
render(<App />, document.getElementById('app')!);
if (location.pathname !== '/login') startLive();
