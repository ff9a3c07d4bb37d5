"""Every row of the page *What works where* has a test, or several."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "works_where.md"

# By the first words of the row.
TESTED = {
    "arrays, `tf.data": [
        "test_every_way_to_feed_it_gives_the_same_losses",
    ],
    "samples on disk": [
        "test_samples_on_disk_are_as_good_as_those_in_memory",
        "test_no_more_than_a_batch_is_read_at_a_time",
    ],
    "torch `DataLoader` of tuples": [
        "test_every_way_to_feed_it_gives_the_same_losses",
        "test_a_torch_data_loader_is_a_stream",
    ],
    "torch `DataLoader` of bare": [
        "test_a_torch_data_loader_must_yield_tuples",
    ],
    "`sample_weight`": [
        "test_weights_of_samples_weigh_reconstruction_and_penalty",
        "test_weights_of_entries_weigh_the_penalty_with_their_mean",
        "test_weights_count_without_a_target",
    ],
    "a `PyDataset` of": [
        "test_a_py_dataset_with_weights_must_have_targets",
        "test_weights_of_two_ranks_need_two_models",
    ],
    "`validation_data": [
        "test_validation_data_needs_the_inputs_only",
    ],
    "integer images": [
        "test_integer_images_train_as_the_same_numbers_in_floating_point",
    ],
    "of a data set handed": [
        "test_of_a_data_set_the_first_samples_are_watched",
    ],
    "inside a larger functional": [
        "test_the_penalty_counts_once_inside_a_larger_model",
    ],
    "inside a subclassed": [
        "test_inside_a_subclassed_model_the_penalty_counts_in_training",
    ],
    "a derivative that is not finite": [
        "test_one_silent_clip_is_named_before_any_weight_changes",
        "test_a_penalty_that_is_not_finite_is_named_once",
    ],
    "results under `torch.no_grad": [
        "test_results_are_right_where_pytorch_records_nothing",
    ],
    "penalties in functions": [
        "test_penalties_are_right_within_compiled_functions",
    ],
    "NumPy results in functions": [
        "test_numpy_results_are_refused_within_compiled_functions",
    ],
    "Ctrl-C": [
        "test_an_interrupt_leaves_the_model_its_weights",
        "test_interrupts_while_jacobians_are_computed_leave_the_model_usable",
    ],
    "`fit` in a worker": [
        "test_a_forked_worker_trains_or_says_why_not",
    ],
    "`run_eagerly`": [
        "test_how_steps_are_run_changes_no_loss",
        "test_compiled_steps_train_as_others",
    ],
    "`steps_per_execution`": [
        "test_how_steps_are_run_changes_no_loss",
        "test_pytorch_takes_one_step_an_execution",
    ],
    "gradient accumulation": [
        "test_accumulated_gradients_are_those_of_the_whole_batch",
        "test_averaged_weights_and_clipped_gradients",
    ],
    "`mixed_float16`": [
        "test_mixed_precision_keeps_penalty_and_tangents_in_float32",
    ],
    "of the code and of": [
        "test_penalty_of_a_deep_encoder_is_that_of_the_dense_jacobian",
        "test_penalty_of_a_reconstruction_is_that_of_the_chain",
        "test_random_probes_are_unbiased",
        "test_curvature_of_a_quadratic_encoder_is_the_norm_of_its_hessian",
    ],
    "a weight that changes": [
        "test_nothing_is_compiled_again",
    ],
    "encoders that mix": [
        "test_encoders_that_mix_samples_are_refused",
    ],
    "of the encoder, the decoder": [
        "test_each_part_has_the_triplets_of_the_chain_rule",
        "test_large_maps_that_do_not_factor_are_never_formed",
    ],
    "streams, results": [
        "test_a_killed_run_leaves_whole_samples_and_goes_on",
        "test_streams_of_batches_give_what_the_array_gives",
        "test_a_tf_data_pipeline_gives_what_the_array_gives",
    ],
    "Sequential, functional": [
        "test_any_encoder_is_differentiated_penalised_and_trained",
    ],
    "BatchNormalization": [
        "test_any_encoder_is_differentiated_penalised_and_trained",
    ],
    "resizing by each": [
        "test_resizing_has_both_products_and_second_derivatives",
        "test_activations_without_a_second_derivative_of_their_own",
    ],
    "`channels_first`": [
        "test_channels_first",
    ],
    "codes of unknown size under random": [
        "test_codes_of_an_unknown_size_need_random_probes",
    ],
    "codes of unknown size under the exact": [
        "test_codes_of_an_unknown_size_need_random_probes",
    ],
    "a model that declares": [
        "test_an_encoder_that_makes_its_inputs_integers_has_no_penalty",
    ],
    "layers that encoder and decoder share": [
        "test_encoder_and_decoder_may_share_a_layer",
    ],
    "... loading such": [
        "test_layers_shared_by_two_parts_of_a_model_cannot_be_loaded",
    ],
    "`.keras` and weights": [
        "test_a_loaded_model_is_the_saved_one_and_trains_on_to_the_same_losses",
        "test_a_weights_file_brings_weights_and_seeds",
        "test_a_clone_is_a_new_model_of_the_same_parts",
        "test_training_goes_on_where_a_backup_stands",
    ],
    "`export` to a SavedModel": [
        "test_an_exported_saved_model_gives_the_same",
        "test_pytorch_exports_no_saved_model",
    ],
    "`export` to ONNX": [
        "test_an_exported_onnx_model_gives_the_same",
    ],
    "**Noise in": [
        "test_it_maps_a_tf_data_pipeline_on_every_backend",
    ],
    "`tf.distribute": [
        "test_two_devices_train_as_one",
    ],
    "`keras.distribution": [
        "test_two_devices_train_as_one",
        "test_two_processes_train_as_one",
        "test_pytorch_has_no_distribution",
    ],
    "snapshots every n": [
        "test_looks_every_n_batches_go_on_over_epochs",
        "test_tensorboard_shows_numbers_images_histograms_and_codes",
        "test_figures_change_in_place_and_a_second_cell_has_its_own",
    ],
    "runs that are killed": [
        "test_a_killed_run_goes_on_where_it_was",
    ],
    "**Tools**": [
        "test_keras_tuner_searches_the_hyperparameters_of_an_autoencoder",
        "test_a_scikit_learn_pipeline_trains_an_autoencoder_and_classifies_its_codes",
        "test_mlflow_logs_what_the_analyzer_reports",
    ],
}


def rows():
    """First cell and marks of each row that says what works."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for line in lines:
        first, *marks = [cell.strip() for cell in line.strip("|").split("|")]
        if first and any(marks):
            yield first, marks


ROWS = dict(rows())
FOUND = {
    name: path.stem
    for path in TESTS.rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), flags=re.M)
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_test(row):
    (names,) = [names for words, names in TESTED.items() if row.startswith(words)]
    assert [name for name in names if name not in FOUND] == []
    # Footnote 1 says that Keras itself cannot; test_limits.py proves it.
    if any("¹" in mark for mark in ROWS[row]):
        assert "test_limits" in {FOUND[name] for name in names}


def test_every_entry_has_a_row():
    assert len(ROWS) == len(TESTED) > 30
