import { TranslationBundle } from '@jupyterlab/translation';

import { KernelModel, PanelModel } from './model';

/** What every tab is given. */
export interface ITabProps {
  kernel: KernelModel;
  model: PanelModel;
  trans: TranslationBundle;
}
