//go:build bailey_lavapipe

package workerspec

func standin() []string {
	return []string{"GGML_VK_VISIBLE_DEVICES=0", "VK_ICD_FILENAMES=/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "LP_NUM_THREADS=1"}
}
